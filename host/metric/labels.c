#include "metric/labels.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static const char *const voc20[] = {
    "aeroplane", "bicycle",     "bird",  "boat",        "bottle", "bus",       "car",
    "cat",       "chair",       "cow",   "diningtable", "dog",    "horse",     "motorbike",
    "person",    "pottedplant", "sheep", "sofa",        "train",  "tvmonitor",
};

/* By COCO's category id, from 1; ids that COCO has left out are empty. */
static const char *const coco90[] = {
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "",
    "backpack",
    "umbrella",
    "",
    "",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "",
    "dining table",
    "",
    "",
    "toilet",
    "",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
};

static const char *const coco80[] = {
    "person",        "bicycle",      "car",
    "motorcycle",    "airplane",     "bus",
    "train",         "truck",        "boat",
    "traffic light", "fire hydrant", "stop sign",
    "parking meter", "bench",        "bird",
    "cat",           "dog",          "horse",
    "sheep",         "cow",          "elephant",
    "bear",          "zebra",        "giraffe",
    "backpack",      "umbrella",     "handbag",
    "tie",           "suitcase",     "frisbee",
    "skis",          "snowboard",    "sports ball",
    "kite",          "baseball bat", "baseball glove",
    "skateboard",    "surfboard",    "tennis racket",
    "bottle",        "wine glass",   "cup",
    "fork",          "knife",        "spoon",
    "bowl",          "banana",       "apple",
    "sandwich",      "orange",       "broccoli",
    "carrot",        "hot dog",      "pizza",
    "donut",         "cake",         "chair",
    "couch",         "potted plant", "bed",
    "dining table",  "toilet",       "tv",
    "laptop",        "mouse",        "remote",
    "keyboard",      "cell phone",   "microwave",
    "oven",          "toaster",      "sink",
    "refrigerator",  "book",         "clock",
    "vase",          "scissors",     "teddy bear",
    "hair drier",    "toothbrush",
};

enum { MOST_SYNONYMS = 4 };
#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))
static const waio_label_set sets[] = {
    {"voc20", COUNT(voc20), voc20},
    {"coco80", COUNT(coco80), coco80},
    {"coco90", COUNT(coco90), coco90},
};
_Static_assert(COUNT(voc20) == 20 && COUNT(coco80) == 80 && COUNT(coco90) == 90, "a name too few");

/* The name that Pascal VOC uses, and others for the same. Names are compared as `fold` leaves them.
 */
static const char *const synonyms[][MOST_SYNONYMS] = {
    {"aeroplane", "airplane"},
    {"diningtable", "table", "kitchenanddiningroomtable"}, /* Open Images */
    {"motorbike", "motorcycle"},
    {"pottedplant", "houseplant"},
    {"sofa", "couch", "sofabed"},
    {"tvmonitor", "tv", "television", "computermonitor"},
    {"cow", "cattle"},
};

const waio_label_set *waio_label_set_find(const char *name)
{
    for (int i = 0; i < COUNT(sets); i++)
        if (strcmp(sets[i].name, name) == 0)
            return &sets[i];
    waio_error(WAIO_EUSAGE,
               "there are no labels called \"%.60s\"; there are: voc20, coco80, coco90", name);
    return NULL;
}

const waio_label_set *waio_label_set_of(int classes)
{
    for (int i = 0; i < COUNT(sets); i++)
        if (sets[i].classes == classes)
            return &sets[i];
    return NULL;
}

/* Small letters and digits alone. */
static void fold(char out[64], const char *name)
{
    size_t n = 0;

    for (; *name && n < 63; name++)
        if (*name != ' ' && *name != '_' && *name != '-')
            out[n++] = (char)tolower((unsigned char)*name);
    out[n] = '\0';
}

/* The row of synonyms that has it, -1: none. */
static int row_of(const char *folded)
{
    for (int r = 0; r < COUNT(synonyms); r++)
        for (int i = 0; i < MOST_SYNONYMS; i++)
            if (synonyms[r][i] && strcmp(synonyms[r][i], folded) == 0)
                return r;
    return -1;
}

bool waio_label_same(const char *a, const char *b)
{
    char x[64], y[64];

    fold(x, a);
    fold(y, b);
    if (!x[0] || !y[0])
        return false;
    return strcmp(x, y) == 0 || (row_of(x) >= 0 && row_of(x) == row_of(y));
}
