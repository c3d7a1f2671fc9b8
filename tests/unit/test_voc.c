/* Pascal VOC: annotations good and broken, and whole folders of them with the build's photographs.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "dataset/dataset.h"
#include "dataset/voc_xml.h"
#include "util/file.h"
#include "util/rng.h"

static const char *const classes[] = {"cat", "dog", "tvmonitor"};
static waio_arena *arena;

#define BOX(a, b, c, d)                                                                            \
    "<bndbox><xmin>" #a "</xmin><ymin>" #b "</ymin><xmax>" #c "</xmax><ymax>" #d "</ymax></"       \
    "bndbox>"
#define OBJECT(inside)   "<object>\n" inside "\n</object>"
#define ANNOTATE(inside) "<annotation>\n" inside "\n</annotation>"
#define SIZE_OF(w, h)    "<size><width>" #w "</width><height>" #h "</height><depth>3</depth></size>"

static waio_status parse(waio_voc_annotation *a, const char *text, size_t size)
{
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    waio_status st =
        waio_voc_annotation_parse(a, (unsigned char *)copy, size, "a.xml", classes, 3, arena);
    free(copy);
    return st;
}

static const char whole[] = ANNOTATE(
    "<folder>x</folder>" SIZE_OF(500, 375) OBJECT(
        "<name> dog </name><pose>Left</pose><truncated>1</truncated><difficult>0</difficult>" BOX(
            10, 20, 110, 220) "<part><name>head</name>" BOX(1, 2, 3, 4) "</part>")
        OBJECT("<name>cat</name>" BOX(45.70000076293945, 1, 500, 375))
            OBJECT("<name>tvmonitor</name><pose/><difficult>1</difficult><truncated>Unspecified"
                   "</truncated>" BOX(3, 4, 3, 4)));

static void good(void)
{
    waio_voc_annotation a;

    CHECK_OK(parse(&a, whole, sizeof whole - 1));
    CHECK(a.width == 500 && a.height == 375 && a.count == 3, "%dx%d, %d objects", a.width, a.height,
          a.count);
    const waio_object *o = a.object;
    CHECK(o[0].class_index == 1 && o[1].class_index == 0 && o[2].class_index == 2, "classes");
    CHECK(o[0].x == 10 && o[0].y == 20 && o[0].width == 100 && o[0].height == 200,
          "%g %g %g %g: xmax - xmin, nothing added; not the part's", o[0].x, o[0].y, o[0].width,
          o[0].height);
    CHECK(o[1].x == 45.70000076293945 && o[1].width == 500 - 45.70000076293945, "%.17g", o[1].x);
    CHECK(o[0].truncated && !o[0].difficult && !o[1].truncated && !o[1].difficult &&
              o[2].difficult && !o[2].truncated,
          "flags");
    CHECK(a.no_truncated == 2 && a.no_difficult == 1 && a.no_pose == 2, "%d %d %d", a.no_truncated,
          a.no_difficult, a.no_pose);
    CHECK_OK(waio_voc_annotation_check(&a, (waio_image_size){375, 500}));
    CHECK_FAILS(waio_voc_annotation_check(&a, (waio_image_size){375, 499}), WAIO_EINPUT,
                "a.xml:4: a box from (45.7, 1) to (500, 375) lies outside the image of 499x375");
    CHECK_OK(parse(&a, "<annotation/>", 13));
    CHECK(a.count == 0 && a.width == 0, "an annotation without anything");
}

static void broken(void)
{
    static const struct {
        const char *text, *part;
    } row[] = {
        {"", "a.xml:1: no whole XML"},
        {"<annotation>\n<object>", "a.xml:2: no whole XML"},
        {"<annotation></object>", "a.xml:1: no whole XML: mismatched tag"},
        {"<annotations></annotations>", "a.xml:1: <annotations>, expected <annotation>"},
        {"\xff\xfe\x00", "no whole XML"},
        {"<!DOCTYPE a [<!ENTITY x \"y\">]>\n" ANNOTATE("&x;"), "a.xml:1: a DOCTYPE"},
        {"<!DOCTYPE a SYSTEM \"file:///etc/passwd\">" ANNOTATE(""), "a DOCTYPE"},
        {ANNOTATE("&x;"), "a.xml:2: no whole XML: undefined entity"},
        {ANNOTATE(OBJECT("<name>cow</name>" BOX(1, 1, 2, 2))),
         "a.xml:3: class \"cow\" is unknown; there are cat, dog, ... tvmonitor"},
        {ANNOTATE(OBJECT("<name></name>" BOX(1, 1, 2, 2))), "class \"\" is unknown"},
        {ANNOTATE("\n" OBJECT(BOX(1, 1, 2, 2))), "a.xml:3: an object without <name>"},
        {ANNOTATE(OBJECT("<name>cat</name>")), "a.xml:2: an object without a whole <bndbox>"},
        {ANNOTATE(OBJECT("<name>cat</name><bndbox><xmin>1</xmin><xmax>2</xmax></bndbox>")),
         "without a whole <bndbox>"},
        {ANNOTATE(OBJECT("<name>cat</name>" BOX(5, 1, 4, 2))), "it ends before it begins"},
        {ANNOTATE(OBJECT("<name>cat</name>" BOX(five, 1, 4, 2))),
         "a.xml:3: xmin is \"five\", expected a number"},
        {ANNOTATE(OBJECT("<name>cat</name>" BOX(nan, 1, 4, 2))), "xmin is \"nan\""},
        {ANNOTATE(OBJECT("<name>cat</name>" BOX(1, 1, 1e300, 2))), "xmax is \"1e300\""},
        {ANNOTATE(OBJECT("<name>cat</name>" BOX(, 1, 4, 2))), "xmin is \"\""},
        {ANNOTATE(OBJECT("<name>cat</name>" BOX(1, 1, 2, 2) BOX(1, 1, 2, 2))), "a second <xmin>"},
        {ANNOTATE(OBJECT("<name>cat</name><difficult>2</difficult>" BOX(1, 1, 2, 2))),
         "difficult is \"2\", expected 0 or 1"},
        {ANNOTATE("<size><width>-5</width></size>"), "width is \"-5\""},
        {ANNOTATE("<size><width>1.5</width></size>"), "width is \"1.5\", expected a whole number"},
    };
    waio_voc_annotation a;

    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        CHECK_FAILS(parse(&a, row[i].text, strlen(row[i].text)), WAIO_EINPUT, row[i].part);
}

/* `count` times `text` between a head and a tail. */
static char *repeated(const char *head, const char *text, int count, const char *tail)
{
    size_t n = strlen(text);
    char *out = waio_arena_alloc(arena, strlen(head) + n * (size_t)count + strlen(tail) + 1);

    strcpy(out, head);
    for (int i = 0; i < count; i++)
        memcpy(out + strlen(head) + (size_t)i * n, text, n);
    strcpy(out + strlen(head) + n * (size_t)count, tail);
    return out;
}

static void limits(void)
{
    waio_voc_annotation a;
    const char *many = repeated("<annotation>", OBJECT("<name>cat</name>" BOX(1, 1, 2, 2)),
                                WAIO_XML_MAX_OBJECTS + 1, "</annotation>");
    const char *deep = repeated("<annotation>", "<a>", 100000, "");
    const char *longest = repeated("<annotation><object><name>", "x", 300, "</name>");
    const char *name = repeated("<annotation><", "x", 600, "/></annotation>");
    const char *large = repeated("<annotation>", "<!-- comment -->\n", WAIO_XML_MAX_BYTES / 17 + 1,
                                 "</annotation>");
    char *bomb = repeated("<!DOCTYPE b [<!ENTITY a0 \"ha\">", "<!ENTITY b \"&a0;&a0;&a0;\">", 40,
                          "]><annotation>&b;</annotation>");

    CHECK_FAILS(parse(&a, many, strlen(many)), WAIO_EINPUT, "more than 4096 objects");
    CHECK_FAILS(parse(&a, deep, strlen(deep)), WAIO_EINPUT, "nested deeper than 16");
    CHECK_FAILS(parse(&a, longest, strlen(longest)), WAIO_EINPUT, "a text longer than 256 bytes");
    CHECK_FAILS(parse(&a, name, strlen(name)), WAIO_EINPUT, "their names are too long");
    CHECK_FAILS(parse(&a, large, strlen(large)), WAIO_EINPUT, "at most 4194304 are read");
    CHECK_FAILS(parse(&a, bomb, strlen(bomb)), WAIO_EINPUT, "a DOCTYPE");
}

static void damaged(void)
{
    waio_voc_annotation a;
    waio_rng rng = {9};
    char copy[sizeof whole];
    int good_ones = 0;

    for (size_t size = 0; size < sizeof whole - 1; size++)
        CHECK_FAILS(parse(&a, whole, size), WAIO_EINPUT, "a.xml:");
    for (int i = 0; i < 20000; i++) {
        memcpy(copy, whole, sizeof whole);
        for (int b = 0; b < 1 + i % 4; b++)
            copy[waio_rng_below(&rng, sizeof whole - 1)] ^= (char)(1u << waio_rng_below(&rng, 8));
        waio_status st = parse(&a, copy, sizeof whole - 1);
        CHECK(st == WAIO_OK || st == WAIO_EINPUT, "status %d", (int)st);
        good_ones += st == WAIO_OK;
        if (i % 1000 == 999) {
            waio_arena_free(arena);
            arena = waio_arena_new();
        }
    }
    CHECK(good_ones > 100, "%d of 20000 are still good", good_ones);
}

/* ---- whole sets: a folder of links to the build's photographs ---- */

#define SET "VOCdevkit/MINE/"
static char base[] = "/tmp/waio_test_voc_XXXXXX";

static void write_text(const char *below, const char *text)
{
    CHECK_OK(waio_file_replace(waio_arena_printf(arena, "%s/" SET "%s", base, below), text,
                               strlen(text)));
}

static void make_set(const char *list)
{
    static const char *const folders[] = {"JPEGImages", "Annotations", "ImageSets/Main"};

    for (int i = 0; i < 3; i++)
        CHECK_OK(waio_make_dirs(waio_arena_printf(arena, "%s/" SET "%s", base, folders[i])));
    write_text("ImageSets/Main/test.txt", list);
    for (int i = 1; i <= 3; i++) {
        unsigned char *data = NULL;
        size_t size = 0;
        CHECK_OK(waio_file_read(&data, &size,
                                waio_arena_printf(arena,
                                                  BUILD_DIR "/data/VOCdevkit/SHAPES/"
                                                            "JPEGImages/%06d.jpg",
                                                  i),
                                arena));
        CHECK_OK(waio_file_replace(waio_arena_printf(arena, "%s/" SET "JPEGImages/%d.jpg", base, i),
                                   data, size));
        write_text(
            waio_arena_printf(arena, "Annotations/%d.xml", i),
            i == 3 ? ANNOTATE(OBJECT("<name>sofa</name><truncated>1</truncated>" BOX(1, 2, 30, 40)))
                   : ANNOTATE(OBJECT("<name>sofa</name>" BOX(1, 2, 30, 40))));
    }
}

static waio_status open_mine(waio_dataset **d, const char *split, bool skip_bad)
{
    waio_dataset_params params = {.data_dir = base,
                                  .split = split,
                                  .height = 20,
                                  .width = 30,
                                  .skip_bad = skip_bad,
                                  .threads = 2};
    return waio_dataset_open(d, "voc:MINE", &params);
}

static void sets(void)
{
    waio_dataset *d = NULL;

    make_set("1\n2\r\n\n3\n");
    CHECK_OK(open_mine(&d, "test", false));
    CHECK(d->count == 3 && d->classes == 20 && !d->label && d->object_begin[3] == 3, "%lld images",
          (long long)d->count);
    CHECK(d->object[2].class_index == 17 && strcmp(d->class_name[17], "sofa") == 0, "sofa");
    CHECK(strcmp(d->image_name[1], "2") == 0 && strcmp(d->resize, "tf-bilinear") == 0, "%s",
          d->resize);
    CHECK(d->image_size[0].height >= 96 && d->notes.no_pose == 3 && d->notes.other_size == 3,
          "notes");
    waio_placement p = waio_dataset_placement(d, 0);
    CHECK(p.scale_x * d->image_size[0].width == 30 && p.scale_y * d->image_size[0].height == 20,
          "%g %g", p.scale_x, p.scale_y);
    char sha[65];
    strcpy(sha, d->sha256);
    waio_dataset_close(d);
    write_text("Annotations/3.xml", ANNOTATE(OBJECT("<name>cow</name>" BOX(1, 2, 30, 40))));
    CHECK_OK(open_mine(&d, "test", false));
    CHECK(strcmp(sha, d->sha256) != 0, "annotations are part of the digest");
    waio_dataset_close(d);
    CHECK_FAILS(open_mine(&d, "val", false), WAIO_EINPUT, "ImageSets/Main/val.txt: No such file");
    CHECK_FAILS(open_mine(&d, "dev", false), WAIO_EUSAGE, "there are: test train val trainval");
}

/* Each fault alone is an error, and with skip_bad one image less. */
static void faults(void)
{
    static const struct {
        const char *file, *text, *part;
    } row[] = {
        {"Annotations/2.xml", ANNOTATE(OBJECT("<name>yeti</name>" BOX(1, 2, 30, 40))),
         "class \"yeti\" is unknown"},
        {"Annotations/2.xml", ANNOTATE(OBJECT("<name>cow</name>" BOX(1, 2, 3000, 40))),
         "Annotations/2.xml:2: a box from (1, 2) to (3000, 40) lies outside the image"},
        {"Annotations/2.xml", ANNOTATE(OBJECT("<name>cow</name>" BOX(-1, 2, 3, 40))),
         "lies outside the image"},
        {"Annotations/2.xml", "<annotation>", "no whole XML"},
        {"Annotations/2.xml", NULL, "Annotations/2.xml: No such file"},
        {"JPEGImages/2.jpg", NULL, "JPEGImages/2.jpg: No such file"},
        {"JPEGImages/2.jpg", "", "test.txt:2: "},
        {"JPEGImages/2.jpg", "GIF89a", "a GIF"},
        {"ImageSets/Main/test.txt", "1\n../2\n3\n", "\"../2\" is no name of an image"},
        {"ImageSets/Main/test.txt", "1\n2 -1\n3\n", "test.txt:2: 2 words"},
        {"ImageSets/Main/test.txt", "\n\n", "no images are listed"},
        {"ImageSets/Main/test.txt", "", "no images are listed"},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        waio_dataset *d = NULL;
        bool listed = strstr(row[i].file, "test.txt") == NULL;
        make_set("1\n2\n3\n");
        if (row[i].text)
            write_text(row[i].file, row[i].text);
        else
            unlink(waio_arena_printf(arena, "%s/" SET "%s", base, row[i].file));
        CHECK_FAILS(open_mine(&d, "test", false), WAIO_EINPUT, row[i].part);
        if (!listed) {
            CHECK_FAILS(open_mine(&d, "test", true), WAIO_EINPUT, row[i].part);
            continue;
        }
        CHECK_OK(open_mine(&d, "test", true));
        CHECK(d->count == 2 && d->notes.skipped == 1, "%lld, %lld skipped", (long long)d->count,
              (long long)d->notes.skipped);
        CHECK(strcmp(d->image_name[1], "3") == 0 && d->object_begin[2] == 2, "the third is second");
        CHECK(d->object[1].truncated && !d->object[0].truncated, "its object is the third's");
        CHECK(d->notes.first_skipped && strstr(d->notes.first_skipped, row[i].part), "%s",
              d->notes.first_skipped);
        waio_dataset_close(d);
    }
    make_set("1\n2\n3\n");
    for (int i = 1; i <= 3; i++)
        write_text(waio_arena_printf(arena, "JPEGImages/%d.jpg", i), "x");
    waio_dataset *d = NULL;
    CHECK_FAILS(open_mine(&d, "test", true), WAIO_EINPUT, "not one of the 3 images");
    for (int i = 1; i <= 3; i++)
        write_text(waio_arena_printf(arena, "Annotations/%d.xml", i), "x");
    CHECK_FAILS(open_mine(&d, "test", true), WAIO_EINPUT, "not one annotation is good");
}

static void names(void)
{
    static const char *const wrong[] = {"voc:", "voc:..", "voc:a/b", "voc", "voc:.x"};
    const waio_dataset_kind *kind = NULL;

    CHECK_OK(waio_dataset_find(&kind, "voc:COCO2017"));
    CHECK(strcmp(waio_dataset_folder(kind, "voc:COCO2017", arena), "VOCdevkit/COCO2017") == 0, "%s",
          waio_dataset_folder(kind, "voc:COCO2017", arena));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_FAILS(waio_dataset_find(&kind, wrong[i]), WAIO_EUSAGE, "is unknown");
}

int main(void)
{
    arena = waio_arena_new();
    CHECK(mkdtemp(base) != NULL, "no folder");
    good();
    broken();
    limits();
    damaged();
    sets();
    faults();
    names();
    waio_arena_free(arena);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", base);
    CHECK(system(command) == 0, "%s stays", base);
    return waio_check_result();
}
