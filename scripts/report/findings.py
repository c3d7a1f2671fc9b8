"""The findings of the thesis as checks on rows of waio: each is confirmed, refuted or not testable
here, with the rows that say so. Rows of `ok` and, since a collapse is mistrusted at chance,
`mistrusted` count."""
from collections import namedtuple

from figures.rows import model_name

Finding = namedtuple("Finding", "title claim verdict lines")
CONFIRMED, REFUTED, UNTESTABLE = "confirmed", "refuted", "not testable here"
NEAR_CHANCE = 1.5     # times chance that still counts as fallen to it
MOST = 50.0           # percent of the float value that a collapse loses at least
CLOSE = 1.0           # percent of the float value
CLASSES = {"cifar10": 10, "shapes": 10, "oxford_pets": 37}
UNTRAINED = "untrained"


def number(row, name):
    try:
        return float(row[name])
    except (TypeError, ValueError, KeyError):
        return None


def usable(rows):
    return [row for row in rows if row["status"] in ("ok", "mistrusted")
            and not (row.get("reason") or "").startswith(UNTRAINED)
            and row["method"] not in ("float", "file") and number(row, "value") is not None
            and number(row, "float_value")]


def classifies(row):
    return (row.get("metric") or "accuracy") == "accuracy"


def bits(row):
    return "/".join(row[axis] for axis in "WAIO")


def line(row, more=""):
    feed = ", raw feed" if row["feed"] == "raw" else ""
    return (f"{model_name(row)} on {row['dataset']}, {row['images']} images, {row['method']} {bits(row)}"
            f"{feed}: {number(row, 'value'):.2f} % (float {number(row, 'float_value'):.2f} %){more}")


def change(row):
    return (number(row, "float_value") - number(row, "value")) / number(row, "float_value") * 100


def judge(title, claim, tested):
    """`tested` holds (holds, line); without any the finding is not testable on these rows."""
    if not tested:
        verdict = UNTESTABLE
    else:
        verdict = CONFIRMED if all(good for good, _ in tested) else REFUTED
    lines = [("" if good else "against: ") + text for good, text in tested]
    return Finding(title, claim, verdict, lines)


def eight_bit_input(rows, feed):
    """Rows with I = 8 and everything else at 8 bits or in float."""
    return [r for r in rows if bits(r) in ("8/8/8/8", "8/8/8/32", "32/32/8/32") and r["feed"] == feed]


def raw_collapses(rows):
    """The thesis: accuracy at chance in every I = 8 column of PTQ and QAT (tables 4.1.2 to 4.1.4)."""
    tested = []
    for row in eight_bit_input(rows, "raw"):
        classes = CLASSES.get(row["dataset"])
        if classes:
            chance = 100 / classes
            tested.append((number(row, "value") <= NEAR_CHANCE * chance,
                           line(row, f"; chance is {chance:.1f} %")))
    return judge("Raw bytes at an 8-bit input: chance", "an I8 network that is fed raw bytes falls to chance "
                 f"(at most {NEAR_CHANCE:g} times chance)", tested)


def raw_costs_most(rows):
    tested = [(change(r) >= MOST, line(r, f"; change {change(r):+.2f} %"))
              for r in eight_bit_input(rows, "raw")]
    return judge("Raw bytes at an 8-bit input: collapse", "an I8 network that is fed raw bytes loses "
                 f"at least {MOST:g} % of its accuracy", tested)


def fed_holds(rows):
    tested = [(change(r) <= CLOSE, line(r, f"; change {change(r):+.2f} %"))
              for r in eight_bit_input(rows, "quantized")
              if r["method"].startswith("ptq")]
    return judge("A correctly fed 8-bit input", "the same network, its image quantized by scale and "
                 f"zero point, loses at most {CLOSE:g} % of float", tested)


HALVES = ("16/16/32/32", "f16/f16/32/32", "f16/32/f16/f16", "f16/32/32/32", "f16/f16/f16/f16",
          "16/16/16/16")


def sixteen_bits(rows):
    tested = [(abs(change(r)) <= CLOSE, line(r, f"; change {change(r):+.2f} %"))
              for r in rows if bits(r) in HALVES and r["feed"] != "raw"]
    return judge("16 bits", f"16 bits stay within {CLOSE:g} % of float (table 4.1.1)", tested)


def same_but_bits(row):
    """What three rows at 8, 6 and 4 bits have in common; None if W, A and O are not one width."""
    if len({row["W"], row["A"], row["O"]}) != 1 or row["W"] not in ("8", "6", "4"):
        return None
    return (row["model"], row["dataset"], row["images"], row["method"], row["I"], row["feed"],
            row.get("engine"), row.get("granularity"), row.get("range"))


def fewer_is_worse(rows):
    groups = {}
    for row in rows:
        key = same_but_bits(row)
        if key and row["feed"] != "raw":
            groups.setdefault(key, {})[row["W"]] = row
    tested = []
    for group in groups.values():
        if len(group) < 3:
            continue
        eight, six, four = (number(group[b], "value") for b in ("8", "6", "4"))
        # Two rows that are equal within the standard error are no order, and no counterexample.
        noise = number(group["8"], "stderr") or 0
        good = eight >= six - noise and six >= four - noise and eight > four
        tested.append((good, f"{line(group['8'])}; at 6 bits {six:.2f} %, at 4 bits {four:.2f} %"))
    return judge("Order of 8, 6 and 4 bits", "W = A = O: 8 bits are better than 6, 6 better than 4 "
                 "(tables 4.1.7, 4.1.8; equal within a standard error is no counterexample)", tested)


def detection(rows):
    """The thesis: W8A8 takes 99.8 % of SSD-MobileNetV2's mAP, and its first layer in float gives it back."""
    tested = [(change(r) >= MOST, line(r, f"; F_N = {r['first_n']}; {r['metric']}, change {change(r):+.2f} %"))
              for r in rows if bits(r) in ("8/8/8/8", "8/8/32/32") and r["feed"] != "raw"
              and not int(r["first_n"] or 0) and r["method"].startswith("ptq")]
    found = judge("Detection at 8 bits", "a detector at W8A8 loses at least "
                  f"{MOST:g} % of its mAP (table 4.2.1)", tested)
    return found if tested else found._replace(lines=["no W8A8 rows of a detector among these"])


def training(rows):
    if any(r["method"].startswith(("qat", "qkeras")) for r in rows):
        return None
    return Finding("QAT against PTQ", "quantization-aware training keeps W8A8 within 1 % of float "
                   "(table 4.1.3)", UNTESTABLE, ["no rows of quantization-aware training among these"])


def check(rows):
    """Every finding on these rows, in the order of the thesis."""
    kept = usable(rows)
    classifiers = [row for row in kept if classifies(row)]
    found = [f(classifiers) for f in (sixteen_bits, raw_costs_most, raw_collapses, fed_holds, training,
                                      fewer_is_worse)]
    found.append(detection([row for row in kept if not classifies(row)]))
    return [f for f in found if f]
