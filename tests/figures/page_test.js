"use strict";
// Put behind the page's own script by tests/e2e/test_report.sh: uses the page as a reader does and
// leaves what it found in document.title.
window.addEventListener("load", function () {
  const failures = [];
  let checks = 0;
  function check(good, text) { checks += 1; if (!good) { failures.push(text); } }
  const table = document.getElementById("rows"), body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  const names = heads.map(function (h) { return h.textContent; });
  const rows = function () { return Array.from(body.rows); };
  const seen = function () { return rows().filter(function (r) { return !r.hidden; }); };
  const total = rows().length;
  const place = function (name) { return names.indexOf(name); };
  const press = function (name) {
    const button = heads[place(name)].querySelector("button");
    button.focus();
    check(document.activeElement === button, name + " cannot be reached by keyboard");
    button.click();
  };
  const numbers = function (name) {
    return rows().map(function (r) { return r.cells[place(name)]; }).map(function (c) {
      return c.dataset.v !== undefined ? c.dataset.v : c.textContent;
    });
  };
  function sorted(list, sign) {
    let before = null, empty = false;
    return list.every(function (x) {
      if (x === "") { empty = true; return true; }
      const good = !empty && (before === null || sign * (Number(x) - before) >= 0);
      before = Number(x);
      return good;
    });
  }
  check(total === EXPECTED_ROWS, total + " rows");
  ["value %", "W", "size KiB"].forEach(function (name) {
    press(name);
    check(heads[place(name)].getAttribute("aria-sort") === "ascending", name + ": aria-sort up");
    check(sorted(numbers(name), 1), name + " is not sorted up: " + numbers(name).slice(0, 5));
    press(name);
    check(heads[place(name)].getAttribute("aria-sort") === "descending", name + ": aria-sort down");
    check(sorted(numbers(name), -1), name + " is not sorted down");
  });
  check(heads.filter(function (h) { return h.hasAttribute("aria-sort"); }).length === 1,
    "more than one column says that it is sorted");
  const texts = function () { return rows().map(function (r) { return r.cells[0].textContent; }); };
  press("network");
  check(texts().every(function (t, i, all) {
    return i === 0 || all[i - 1].localeCompare(t, "en", { numeric: true }) <= 0;
  }), "texts are not sorted");
  check(rows().length === total, "sorting lost rows");

  const filter = document.getElementById("filter");
  const type = function (words) {
    filter.value = words;
    filter.dispatchEvent(new Event("input"));
  };
  type("w=4 ptq");
  const some = seen();
  check(some.length > 0 && some.length < total, "the filter leaves " + some.length);
  check(some.every(function (r) {
    return / w=4 /.test(r.textContent) && /ptq/.test(r.textContent);
  }), "rows without the words");
  check(document.getElementById("shown").textContent === some.length + " of " + total + " rows",
    "the count: " + document.getElementById("shown").textContent);
  const status = Array.from(document.querySelectorAll("select")).find(function (s) {
    return Number(s.dataset.column) === place("status");
  });
  const word = total > 100 ? "failed" : "ok"; // of the small file every row is ok
  status.value = "=" + word;
  status.dispatchEvent(new Event("change"));
  check(seen().length > 0 && (word === "ok" || seen().length < some.length) && seen().every(function (r) {
    return r.cells[place("status")].textContent === word;
  }), "the list of statuses leaves " + seen().length);
  document.getElementById("clear").click();
  check(seen().length === total, "show all shows " + seen().length);
  type("no row has this");
  check(seen().length === 0, "rows for words that none has");
  type("");

  check(window.broken === undefined, "a reason ran as a script");
  check(document.querySelectorAll("#rows script").length === 0, "a reason became an element");
  const ids = Array.from(document.querySelectorAll("[id]")).map(function (e) { return e.id; });
  check(new Set(ids).size === ids.length, "ids that are there twice: " +
    ids.filter(function (id, i) { return ids.indexOf(id) !== i; }).slice(0, 3));
  Array.from(document.querySelectorAll("a[href^='#'], use")).forEach(function (e) {
    const link = e.getAttribute("href") || e.getAttribute("xlink:href");
    check(link === null || ids.includes(link.slice(1)), "a link to nowhere: " + link);
  });
  check(document.documentElement.scrollWidth <= window.innerWidth,
    "the page is wider than the window: " + document.documentElement.scrollWidth + " of " +
    window.innerWidth);
  const before = getComputedStyle(document.body).backgroundColor;
  document.getElementById("theme").click();
  check(getComputedStyle(document.body).backgroundColor !== before, "light or dark does nothing");
  document.title = "tested " + checks + " failed " + failures.length + " " + failures.join("; ");
});
