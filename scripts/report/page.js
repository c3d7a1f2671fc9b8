"use strict";
// Sorting and filtering of the rows; the page is whole without it.
(function () {
  const table = document.getElementById("rows");
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  const rows = Array.from(body.rows);
  const text = document.getElementById("filter");
  const selects = Array.from(document.querySelectorAll("select[data-column]"));
  const shown = document.getElementById("shown");
  rows.forEach(function (row, i) {
    row.waioPlace = i;
    row.waioText = row.textContent.toLowerCase() + " " + row.title.toLowerCase();
  });

  function value(row, column) {
    return row.cells[column].dataset.v !== undefined ? row.cells[column].dataset.v
      : row.cells[column].textContent;
  }

  // Numbers by size, texts by letters, empty cells last either way.
  function compare(column, numeric, sign) {
    return function (a, b) {
      const x = value(a, column), y = value(b, column);
      if (x === "" || y === "") {
        return (x === "") - (y === "") || a.waioPlace - b.waioPlace;
      }
      const order = numeric ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true });
      return sign * order || a.waioPlace - b.waioPlace;
    };
  }

  function sort(column) {
    const head = heads[column];
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach(function (h) { h.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.slice().sort(compare(column, head.dataset.kind === "n", down ? -1 : 1))
      .forEach(function (row) { body.appendChild(row); });
  }

  // Every word of the text must be in the row; the lists ask for a cell that is just so.
  function filter() {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = selects.filter(function (s) { return s.value !== ""; });
    let count = 0;
    rows.forEach(function (row) {
      const good = words.every(function (w) { return row.waioText.includes(w); }) &&
        wanted.every(function (s) {
          return row.cells[Number(s.dataset.column)].textContent === s.value.slice(1);
        });
      row.hidden = !good;
      count += good;
    });
    shown.textContent = count + " of " + rows.length + " rows";
  }

  heads.forEach(function (head, column) {
    head.querySelector("button").addEventListener("click", function () { sort(column); });
  });
  text.addEventListener("input", filter);
  selects.forEach(function (s) { s.addEventListener("change", filter); });
  document.getElementById("clear").addEventListener("click", function () {
    text.value = "";
    selects.forEach(function (s) { s.value = ""; });
    filter();
  });
  document.getElementById("theme").addEventListener("click", function () {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  filter();
}());
