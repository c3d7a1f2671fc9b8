"""Tables 4.1.1 to 4.2.2 as Markdown and LaTeX: the published numbers, or those of a results file in
the same form. What has no row is a dash."""
from figures.thesis import HALF as HALVES, PRETTY, change

# table: (caption, method, metric, columns). A column is a W/A/I/O, "first_n suspects" for 4.2.2.
DFQ8, DFQ32 = ("8/8/8/8", "6/6/8/6", "4/4/8/4"), ("8/8/32/8", "6/6/32/6", "4/4/32/4")
HALF = tuple("/".join(bits) for bits in HALVES)
TABLES = {
    "4.1.1": ("16 bits, PTQ", "tflite_ptq", "accuracy", (HALF,)),
    "4.1.2": ("W8A8I8O8, QAT", "tflite_qat", "accuracy", (("8/8/8/8",),)),
    "4.1.3": ("W8A8 by I/O, QAT", "tflite_qat", "accuracy",
              (("8/8/32/32",), ("8/8/32/8",), ("8/8/8/32",))),
    "4.1.4": ("W8A8 by I/O, PTQ", "tflite_ptq", "accuracy",
              (("8/8/32/32",), ("8/8/32/8",), ("8/8/8/32",), ("8/8/8/8",))),
    "4.1.6": ("QKeras (column heads assumed)", "qkeras_qat", "accuracy",
              (("8/8/8/8 quantized_bits",), ("16/16/16/16 quantized_bits",),
               ("32/32/32/32 quantized_bits",), ("8/8/8/8 quantized_po2",))),
    "4.1.7": ("DFQ, I = 8", "squant_dfq", "accuracy", tuple((p,) for p in DFQ8)),
    "4.1.8": ("DFQ, I = 32", "squant_dfq", "accuracy", tuple((p,) for p in DFQ32)),
    "4.2.1": ("Detection, PTQ", "tflite_ptq", "mAP",
              (HALF, ("8/8/8/32 8/32", "8/8/32/32", "8/8/8/8"))),
    "4.2.2": ("Detection, W8A8I32O32, layers left unquantized", "tflite_ptq", "mAP",
              tuple((f"F{n} S{s}",) for s in (0, 1) for n in (0, 1, 5))),
}
PRINTED_4_2_2 = 53.33  # the float mAP that the thesis's own change column implies


def matches(point, wanted):
    bits = "/".join(point.bits)
    if wanted.startswith("F"):
        return (bits == "8/8/32/32"
                and wanted == f"F{point.first_n} S{point.suspects}")
    plain = point.first_n == 0 and point.suspects == 0
    if wanted == "8/8/8/32 8/32":  # as printed, for both
        return plain and bits == "8/8/8/32/8/32"
    bits_wanted, _, mapping = wanted.partition(" ")
    return plain and bits == bits_wanted and mapping in ("", point.mapping)


def find(points, column):
    """The first of a column's precisions that has a point; the raw feed only where nothing else."""
    for wanted in column:
        found = [p for p in points if matches(p, wanted)]
        if found:
            return min(found, key=lambda p: p.feed == "raw"), wanted
    return None, column[0]


def cells_of(points, columns, heads, table):
    """The texts of one network's line behind its names; a precision that is not the column's is said."""
    some = next((find(points, c)[0] for c in columns if find(points, c)[0]), points[0])
    texts = [f"{some.float_value:.2f}"]
    for column, head in zip(columns, heads):
        point, wanted = find(points, column)
        if point is None:
            texts += ["-", "-"]
            continue
        moved = change(point)
        texts += [f"{point.value:.2f}" + (" (raw feed)" if point.feed == "raw" else "")
                  + ("" if wanted == head else f" ({wanted})"),
                  "-" if moved is None else f"{moved:.2f}"]
        if table == "4.2.2" and point.table:
            texts[-1] += f" ({(PRINTED_4_2_2 - point.value) / PRINTED_4_2_2 * 100:.2f})"
        if table in ("4.1.1", "4.1.2", "4.2.1"):
            texts += [f"{point.compression:.1f}" if point.compression is not None else "-",
                      f"{point.weights_compression:.1f}" if point.weights_compression is not None
                      else "-"]
    return texts


def make(table, points):
    """(caption, header, lines) of a table, lines None if no point belongs to it."""
    caption, method, metric, columns = TABLES[table]
    mine = [p for p in points if p.method == method and p.metric == metric
            and p.table in ("", table)]
    mine = [p for p in mine if any(matches(p, w) for c in columns for w in c)]
    header = ["data set", "network", f"float {metric}"]
    heads = [find(mine, column)[1] for column in columns]
    for head in heads:
        header += ["8/8, I/O 8 or 32" if head == "8/8/8/32 8/32" else head, "change %"]
        if table in ("4.1.1", "4.1.2", "4.2.1"):
            header += ["compression %", "of float weights %"]
    if table == "4.2.2":
        header = [h.replace("change %", "change % (from 53.33)") if any(p.table for p in mine) else h
                  for h in header]
    names = list(dict.fromkeys((p.dataset, p.model) for p in mine))
    lines = [[PRETTY.get(d, d), PRETTY.get(m, m)]
             + cells_of([p for p in mine if (p.dataset, p.model) == (d, m)], columns, heads,
                        table)
             for d, m in names]
    return caption, header, lines or None


def markdown(points, source):
    out = [f"# Tables 4.1.1 to 4.2.2, {source}", "",
           "W/A/I/O in bits; change is (float - quantized) / float x 100; compression is counted from",
           "a checkpoint of 8 bytes a parameter, and from float weights of 4.", ""]
    for table in TABLES:
        caption, header, lines = make(table, points)
        out += [f"## Table {table}: {caption}", ""]
        if lines is None:
            out += ["No such rows.", ""]
            continue
        out += ["| " + " | ".join(header) + " |",
                "|" + "|".join(" --- " if i < 2 else " ---: " for i in range(len(header))) + "|"]
        out += ["| " + " | ".join(line) + " |" for line in lines] + [""]
    return "\n".join(out)


def escape(text):
    for plain, tex in (("\\", r"\textbackslash{}"), ("%", r"\%"), ("_", r"\_"), ("&", r"\&"),
                       ("#", r"\#"), ("$", r"\$")):
        text = text.replace(plain, tex)
    return text


def latex(points, source):
    out = [f"% Tables 4.1.1 to 4.2.2, {source}. Needs no package.", ""]
    for table in TABLES:
        caption, header, lines = make(table, points)
        if lines is None:
            out += [f"% Table {table}: no such rows.", ""]
            continue
        out += [r"\begin{table}", r"\centering\small", rf"\caption{{Table {table}: {escape(caption)}}}",
                r"\begin{tabular}{ll" + "r" * (len(header) - 2) + "}", r"\hline"]
        out += [" & ".join(map(escape, header)) + r" \\ \hline"]
        out += [" & ".join(map(escape, line)) + r" \\" for line in lines]
        out += [r"\hline", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(out)
