/* Sets of image files: Oxford-IIIT Pet's lists, the memory budget, the disk cache, sets that are
 * kept, small sets brought to another size. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "dataset/data_verify.h"
#include "dataset/dataset.h"
#include "util/file.h"

#define PHOTOS BUILD_DIR "/data/shapes-iiit-pet/"

static waio_arena *arena;
static char base[] = "/tmp/waio_test_sets_XXXXXX";

static const char *at(const char *below)
{
    return waio_arena_printf(arena, "%s/%s", base, below);
}

static void write_text(const char *below, const char *text)
{
    CHECK_OK(waio_file_replace(at(below), text, strlen(text)));
}

static void copy_photo(const char *from, const char *to)
{
    unsigned char *data = NULL;
    size_t size = 0;

    CHECK_OK(
        waio_file_read(&data, &size, waio_arena_printf(arena, PHOTOS "images/%s", from), arena));
    CHECK_OK(waio_file_replace(at(to), data, size));
}

/* The file of image number `number` of the build's set. */
static const char *photo(int number)
{
    static const char *const names[] = {"disc", "ring",  "square",   "triangle", "hexagon",
                                        "star", "cross", "crescent", "arrow",    "heart"};

    for (int c = 0; c < 10; c++) {
        const char *name = waio_arena_printf(arena, "%s_%d.jpg", names[c], number);
        if (waio_file_exists(waio_arena_printf(arena, PHOTOS "images/%s", name)))
            return name;
    }
    CHECK(false, "no photograph %d", number);
    return "";
}

static const char all_images[] =
    "#Image CLASS-ID SPECIES BREED ID\nPoodle_1 1 1 1\nPoodle_2 1 1 1\n"
    "great_dane_7 2 2 1\n";

static void make_pets(void)
{
    CHECK_OK(waio_make_dirs(at("shapes-iiit-pet/images")));
    CHECK_OK(waio_make_dirs(at("shapes-iiit-pet/annotations")));
    write_text("shapes-iiit-pet/annotations/list.txt", all_images);
    write_text("shapes-iiit-pet/annotations/test.txt", "Poodle_2 1 1 1\r\ngreat_dane_7 2 2 1\n");
    write_text("shapes-iiit-pet/annotations/trainval.txt", "Poodle_1 1 1 1\n");
    copy_photo(photo(1), "shapes-iiit-pet/images/Poodle_1.jpg");
    copy_photo(photo(2), "shapes-iiit-pet/images/Poodle_2.jpg");
    copy_photo(photo(3), "shapes-iiit-pet/images/great_dane_7.jpg");
}

static waio_dataset_params params_of(const char *split)
{
    return (waio_dataset_params){
        .data_dir = base, .split = split, .height = 24, .width = 32, .threads = 2};
}

static void pets(void)
{
    waio_dataset *d = NULL;
    waio_dataset_params p = params_of("test");

    make_pets();
    CHECK_OK(waio_dataset_open(&d, "shapes_pets", &p));
    CHECK(d->count == 2 && d->classes == 2 && d->label[0] == 0 && d->label[1] == 1, "labels");
    CHECK(strcmp(d->class_name[0], "Poodle") == 0 && strcmp(d->class_name[1], "great_dane") == 0,
          "%s, %s", d->class_name[0], d->class_name[1]);
    CHECK(strcmp(d->image_name[1], "great_dane_7") == 0 && !d->object, "%s", d->image_name[1]);
    waio_dataset_close(d);
    p.split = "train"; /* trainval's other name */
    CHECK_OK(waio_dataset_open(&d, "shapes_pets", &p));
    CHECK(d->count == 1 && strcmp(d->image_name[0], "Poodle_1") == 0, "train");
    waio_dataset_close(d);
    p.split = "all";
    p.selection.sample = 2;
    CHECK_OK(waio_dataset_open(&d, "shapes_pets", &p));
    CHECK(d->count == 2 && d->split_count == 3, "a sample");
    waio_dataset_close(d);
    p.height = 0;
    CHECK_FAILS(waio_dataset_open(&d, "shapes_pets", &p), WAIO_EUSAGE, "a size from 1 to 16384");
    p = params_of("val");
    CHECK_FAILS(waio_dataset_open(&d, "shapes_pets", &p), WAIO_EUSAGE, "test trainval train all");
}

static void broken_lists(void)
{
    static const struct {
        const char *list, *test, *part;
    } row[] = {
        {all_images, "", "test.txt: no images are listed"},
        {all_images, "# nothing\n\n", "test.txt: no images are listed"},
        {all_images, "Poodle_2\n", "test.txt:1: 1 words, expected NAME CLASS SPECIES BREED"},
        {all_images, "Poodle_2 1 1\n", "3 words"},
        {all_images, "Poodle_2 1 1 1 1\n", "5 words"},
        {all_images, "\nPoodle_2 0 1 1\n", "test.txt:2: the class is \"0\""},
        {all_images, "Poodle_2 1001 1 1\n", "expected a whole number from 1 to 1000"},
        {all_images, "Poodle_2 one 1 1\n", "the class is \"one\""},
        {all_images, "Poodle_2 99999999999999999999 1 1\n",
         "the class is \"99999999999999999999\""},
        {all_images, "Poodle_2 2 1 1\n", "class 2 is Poodle here, before it was great_dane"},
        {all_images, "../Poodle_2 1 1 1\n", "\"../Poodle_2\" is no name of an image"},
        {all_images, "Poodle 1 1 1\n", "\"Poodle\" is no image name, expected CLASS_NUMBER"},
        {all_images, "Poodle_x 1 1 1\n", "expected CLASS_NUMBER"},
        {all_images, "_1 1 1 1\n", "expected CLASS_NUMBER"},
        {all_images, "Poodle_3 1 1 1\n", "test.txt:1: "},
        {"Poodle_1 1 1 1\nPug_1 3 1 1\n", "Poodle_2 1 1 1\n", "list.txt: no image of class 2 of 3"},
        {"Poodle_1 1 1 1\nPug_1 1 1 1\n", "Poodle_2 1 1 1\n", "list.txt:2: class 1 is Pug here"},
    };
    waio_dataset *d = NULL;
    waio_dataset_params p = params_of("test");

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        write_text("shapes-iiit-pet/annotations/list.txt", row[i].list);
        write_text("shapes-iiit-pet/annotations/test.txt", row[i].test);
        CHECK_FAILS(waio_dataset_open(&d, "shapes_pets", &p), WAIO_EINPUT, row[i].part);
    }
    make_pets();
    CHECK_OK(waio_file_replace(at("shapes-iiit-pet/annotations/test.txt"), "Poodle_2 1\0 1 1", 15));
    CHECK_FAILS(waio_dataset_open(&d, "shapes_pets", &p), WAIO_EINPUT, "a zero byte at byte 10");
    /* Cut off anywhere, lists are refused or shorter. */
    make_pets();
    for (size_t n = 0; n < sizeof all_images - 1; n++) {
        CHECK_OK(waio_file_replace(at("shapes-iiit-pet/annotations/test.txt"), all_images, n));
        waio_status st = waio_dataset_open(&d, "shapes_pets", &p);
        CHECK(st == WAIO_OK || st == WAIO_EINPUT, "cut at %zu: %s", n, waio_error_message());
        if (st == WAIO_OK)
            waio_dataset_close(d);
    }
    make_pets();
    unlink(at("shapes-iiit-pet/annotations/list.txt"));
    CHECK_FAILS(waio_dataset_open(&d, "shapes_pets", &p), WAIO_EINPUT, "list.txt: No such file");
    make_pets();
}

/* The labels of ImageNet need the real set's 37 breeds. */
static void imagenet(void)
{
    waio_dataset *d = NULL;
    waio_dataset_params p = params_of("all");
    char *list = waio_arena_alloc(arena, 4000);

    CHECK_OK(waio_make_dirs(at("oxford-iiit-pet/images")));
    CHECK_OK(waio_make_dirs(at("oxford-iiit-pet/annotations")));
    for (int i = 1; i <= 37; i++) {
        sprintf(list + strlen(list), "breed%c%c_1 %d 1 1\n", 'a' + i / 26, 'a' + i % 26, i);
        copy_photo(photo(1), waio_arena_printf(arena, "oxford-iiit-pet/images/breed%c%c_1.jpg",
                                               'a' + i / 26, 'a' + i % 26));
    }
    write_text("oxford-iiit-pet/annotations/list.txt", list);
    const char *table = "oxford-iiit-pet/annotations/imagenet_class_of_breed.tsv";
    write_text(table, "breed\ta\tb\tlabel\nbreedab\t163\t162\tx\nbreedbl\t1000\t999\ty z\n");
    CHECK_OK(waio_dataset_open(&d, "oxford_pets_imagenet", &p));
    CHECK(d->count == 2 && d->classes == 1000 && d->label[0] == 162 && d->label[1] == 999,
          "%lld of %d classes", (long long)d->count, d->classes);
    CHECK(strcmp(d->class_name[162], "breedab") == 0, "%s", d->class_name[162]);
    CHECK(strcmp(d->resize, "pil-bilinear/crop") == 0, "%s", d->resize);
    waio_dataset_close(d);
    p.outputs = 1001;
    CHECK_OK(waio_dataset_open(&d, "oxford_pets_imagenet", &p));
    CHECK(d->classes == 1001 && d->label[0] == 163 && d->label[1] == 1000, "with background");
    waio_dataset_close(d);
    CHECK_OK(waio_dataset_open(&d, "oxford_pets", &p));
    CHECK(d->classes == 37 && d->count == 37 && d->label[36] == 36, "all breeds");
    waio_dataset_close(d);
    static const struct {
        const char *text, *part;
    } row[] = {
        {"", "no image of a breed"},
        {"head\nbreedab\t163\n", "tsv:2: 2 columns"},
        {"head\nbreedab\t163\t163\n", "the class of 1001 is \"163\""},
        {"head\nbreedab\t1001\t1000\n", "from 0 to 999"},
        {"head\nyeti\t163\t162\n", "\"yeti\" is no class of list.txt"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        write_text(table, row[i].text);
        CHECK_FAILS(waio_dataset_open(&d, "oxford_pets_imagenet", &p), WAIO_EINPUT, row[i].part);
    }
    write_text("oxford-iiit-pet/annotations/list.txt", "breedaa_1 1 1 1\n");
    CHECK_FAILS(waio_dataset_open(&d, "oxford_pets", &p), WAIO_EINPUT, "1 classes, expected 37");
}

/* ---- memory and cache ---- */

static const char *only_file(const char *folder)
{
    const char *found = NULL;
    int count = 0;
    DIR *dir = opendir(folder);

    for (struct dirent *e; dir && (e = readdir(dir));)
        if (e->d_name[0] != '.') {
            found = waio_arena_printf(arena, "%s/%s", folder, e->d_name);
            count++;
        }
    if (dir)
        closedir(dir);
    CHECK(count == 1, "%d files in %s", count, folder);
    return found ? found : "";
}

static bool same_sets(const waio_dataset *a, const waio_dataset *b)
{
    size_t bytes = (size_t)(a->count * a->height * a->width * 3);
    return a->count == b->count && memcmp(a->image, b->image, bytes) == 0 &&
           strcmp(a->sha256, b->sha256) == 0 &&
           memcmp(a->label, b->label, (size_t)a->count * sizeof *a->label) == 0 &&
           memcmp(a->image_size, b->image_size, (size_t)a->count * sizeof *a->image_size) == 0;
}

typedef struct watch {
    int64_t decoded;
} watch;

static waio_status count_decoded(void *payload, const char *set, const char *split, int64_t done,
                                 int64_t total)
{
    (void)set, (void)split;
    if (done == total)
        ((watch *)payload)->decoded += done;
    return WAIO_OK;
}

static void damage(const char *path, long offset)
{
    FILE *file = fopen(path, "r+b");
    fseek(file, offset, offset < 0 ? SEEK_END : SEEK_SET);
    int byte = fgetc(file);
    fseek(file, -1, SEEK_CUR);
    fputc(byte ^ 0x10, file);
    CHECK(fclose(file) == 0, "%s", path);
}

static void cached(void)
{
    waio_dataset *plain = NULL, *d = NULL;
    waio_dataset_params p = params_of("all");
    watch w = {0};
    waio_reading reading = {count_decoded, &w};
    const char *folder = at("cache/deep");

    make_pets();
    CHECK_OK(waio_dataset_open(&plain, "shapes_pets", &p));
    CHECK(waio_dataset_bytes(plain) == 3 * 24 * 32 * 3, "%lld",
          (long long)waio_dataset_bytes(plain));
    p.memory = 3 * 24 * 32 * 3 - 1;
    CHECK_FAILS(waio_dataset_open(&d, "shapes_pets", &p), WAIO_ENOMEM, "--cache");
    p.cache = folder;
    p.reading = &reading;
    for (int again = 0; again < 3; again++) {
        CHECK_OK(waio_dataset_open(&d, "shapes_pets", &p));
        CHECK(same_sets(plain, d) && waio_dataset_bytes(d) == 0, "run %d", again);
        waio_dataset_close(d);
        CHECK(w.decoded == 3, "%lld images decoded", (long long)w.decoded);
    }
    const char *file = only_file(folder);
    static const long places[] = {0, 9, 40, 130, 150, 4096, -1};
    for (int i = 0; i < 7; i++) { /* header, table, first and last byte of the images */
        damage(file, places[i]);
        CHECK_OK(waio_dataset_open(&d, "shapes_pets", &p));
        CHECK(w.decoded == 3 * (i + 2) && same_sets(plain, d), "byte %ld: %lld decoded", places[i],
              (long long)w.decoded);
        waio_dataset_close(d);
    }
    size_t size = 0;
    CHECK_OK(waio_file_size(&size, file));
    for (int i = 0; i < 4; i++) { /* cut off, or empty */
        CHECK(truncate(file, (off_t)size * i / 4) == 0, "truncate");
        CHECK_OK(waio_dataset_open(&d, "shapes_pets", &p));
        CHECK(w.decoded == 3 * (i + 9) && same_sets(plain, d), "cut %d", i);
        waio_dataset_close(d);
    }
    only_file(folder);
    p.resize = "tf-bilinear"; /* another pipeline, another file */
    CHECK_OK(waio_dataset_open(&d, "shapes_pets", &p));
    CHECK(!same_sets(plain, d) && w.decoded == 3 * 13, "%lld", (long long)w.decoded);
    waio_dataset_close(d);
    p.resize = NULL;
    copy_photo(photo(4), "shapes-iiit-pet/images/Poodle_1.jpg"); /* another image, another key */
    CHECK_OK(waio_dataset_open(&d, "shapes_pets", &p));
    CHECK(strcmp(plain->sha256, d->sha256) != 0 && w.decoded == 3 * 14, "%lld",
          (long long)w.decoded);
    waio_dataset_close(d);
    waio_dataset_close(plain);
    p.cache = at("shapes-iiit-pet/images/Poodle_1.jpg/below");
    CHECK_FAILS(waio_dataset_open(&d, "shapes_pets", &p), WAIO_EIO, "Poodle_1.jpg");
}

static void skipped(void)
{
    waio_dataset *d = NULL;
    waio_dataset_params p = params_of("all");
    char text[WAIO_NOTES_TEXT];

    make_pets();
    write_text("shapes-iiit-pet/images/Poodle_2.jpg", "no image");
    CHECK_FAILS(waio_dataset_open(&d, "shapes_pets", &p), WAIO_EINPUT, "list.txt:3: ");
    p.skip_bad = true;
    for (int run = 0; run < 3; run++) {
        CHECK_OK(waio_dataset_open(&d, "shapes_pets", &p));
        CHECK(d->count == 2 && d->notes.skipped == 1 && d->label[1] == 1, "run %d", run);
        CHECK(strcmp(d->image_name[1], "great_dane_7") == 0, "%s", d->image_name[1]);
        CHECK(strstr(waio_dataset_notes_text(d, text), "1 bad images left out") != NULL, "%s",
              text);
        waio_dataset_close(d);
        p.cache = at("skip"); /* written by run 1, read by run 2 */
    }
}

static void kept(void)
{
    waio_dataset *a = NULL, *b = NULL, *c = NULL;
    watch w = {0};
    waio_reading reading = {count_decoded, &w};
    waio_dataset_params p = params_of("all");

    make_pets();
    p.keep = true;
    p.reading = &reading;
    CHECK_OK(waio_dataset_open(&a, "shapes_pets", &p));
    CHECK_OK(waio_dataset_open(&b, "shapes_pets", &p));
    CHECK(a == b && w.decoded == 3, "decoded twice");
    waio_dataset_close(a);
    waio_dataset_close(b);
    CHECK_OK(waio_dataset_open(&a, "shapes_pets", &p));
    CHECK(w.decoded == 3, "decoded again though nobody needed the room");
    p.resize = "pil-bicubic";
    CHECK_OK(waio_dataset_open(&c, "shapes_pets", &p));
    CHECK(c != a && w.decoded == 6 && a->count == 3, "another pipeline is another set");
    waio_dataset_close(c);
    waio_dataset_close(a);
    p.split = "test";
    CHECK_OK(waio_dataset_open(&c, "shapes_pets", &p));
    p.split = "all";
    CHECK_OK(waio_dataset_open(&b, "shapes_pets", &p));
    CHECK(w.decoded == 6 + 2 + 3, "%lld: a set nobody uses makes room", (long long)w.decoded);
    waio_dataset_close(c);
    waio_dataset_close(b);
}

static waio_status stop(void *payload, const char *set, const char *split, int64_t done,
                        int64_t total)
{
    (void)payload, (void)set, (void)split, (void)done, (void)total;
    return waio_error(WAIO_EINTERRUPTED, "stopped");
}

static void interrupted(void)
{
    waio_dataset *d = NULL;
    waio_dataset_params p = params_of("all");
    waio_reading reading = {stop, NULL};

    p.reading = &reading;
    p.cache = at("stopped");
    CHECK_FAILS(waio_dataset_open(&d, "shapes_pets", &p), WAIO_EINTERRUPTED, "stopped");
    DIR *dir = opendir(p.cache);
    int files = 0;
    for (struct dirent *e; dir && (e = readdir(dir));)
        files += e->d_name[0] != '.';
    if (dir)
        closedir(dir);
    CHECK(files == 0, "%d files stay behind", files);
}

/* CIFAR-10's format at other sizes, in the two ways of holding them. */
static void scaled(void)
{
    waio_dataset *d = NULL, *c = NULL, *same = NULL;
    waio_dataset_params p = {.data_dir = BUILD_DIR "/data",
                             .split = "test",
                             .selection = {.count = 40},
                             .height = 48,
                             .width = 64,
                             .threads = 2};

    CHECK_OK(waio_dataset_open(&d, "shapes", &p));
    CHECK(d->count == 40 && d->height == 48 && d->width == 64 && !d->image_size, "the size");
    CHECK(strcmp(d->resize, "pil-bilinear") == 0, "%s", d->resize);
    p.cache = at("scaled");
    CHECK_OK(waio_dataset_open(&c, "shapes", &p));
    CHECK(memcmp(c->image, d->image, 40 * 48 * 64 * 3) == 0 && strcmp(c->sha256, d->sha256) == 0,
          "from the cache");
    p.height = p.width = 32;
    CHECK_OK(waio_dataset_open(&same, "shapes", &p));
    CHECK(strcmp(same->resize, "none") == 0 && strcmp(same->sha256, d->sha256) == 0,
          "the digest is of what is stored");
    CHECK(memcmp(same->label, d->label, 40 * sizeof *d->label) == 0, "labels");
    waio_dataset_close(d);
    waio_dataset_close(c);
    waio_dataset_close(same);
}

/* ---- verify ---- */

typedef struct found {
    int lines, problems;
    char last[500];
} found;

static void take_line(void *payload, const char *text)
{
    (void)text;
    ((found *)payload)->lines++;
}

static void take_problem(void *payload, const char *text)
{
    found *f = payload;
    f->problems++;
    snprintf(f->last, sizeof f->last, "%s", text);
}

static void verified(void)
{
    found f = {0};
    waio_verify_report report = {take_line, take_problem, &f};
    int64_t problems = 0;

    make_pets();
    CHECK_OK(waio_dataset_verify("shapes_pets", base, 2, NULL, &report, &problems));
    CHECK(f.lines == 2 && problems == 0 && f.problems == 0, "%d lines, %s", f.lines, f.last);
    write_text("shapes-iiit-pet/images/Poodle_2.jpg", "no image");
    CHECK_OK(waio_dataset_verify("shapes_pets", base, 2, NULL, &report, &problems));
    CHECK(problems == 1 && strstr(f.last, "Poodle_2.jpg"), "%s", f.last);
    CHECK_OK(waio_dataset_verify("oxford_pets", base, 2, NULL, &report, &problems));
    CHECK(problems >= 4, "%lld problems of a set that is not whole", (long long)problems);
    problems = 0;
    CHECK_OK(waio_dataset_verify("shapes", BUILD_DIR "/data", 2, NULL, &report, &problems));
    CHECK(problems == 0, "%s", f.last);
    CHECK_FAILS(waio_dataset_verify("x", base, 2, NULL, &report, &problems), WAIO_EUSAGE,
                "unknown");
}

int main(void)
{
    arena = waio_arena_new();
    CHECK(mkdtemp(base) != NULL, "no folder");
    pets();
    broken_lists();
    imagenet();
    cached();
    skipped();
    kept();
    interrupted();
    scaled();
    verified();
    waio_arena_free(arena);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", base);
    CHECK(system(command) == 0, "%s stays", base);
    return waio_check_result();
}
