/* HDF5 keeps its errors on a stack; the innermost entry says what really happened, so that one is
 * quoted. Every handle starts at H5I_INVALID_HID and is closed at `done:`. */
#include "import/hdf5_file.h"

#include <hdf5.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_STRINGS = 1 << 20,
    MOST_CHUNKS = 10000,     /* attributes name0, name1, ... */
    MOST_COMPRESSION = 1100, /* deflate reaches 1032 : 1 */
    MOST_TEXT = 1 << 28      /* bytes in a string */
};

struct waio_hdf5 {
    size_t bytes; /* of the file */
    hid_t file;
    hid_t link_access; /* refuses links into other files */
};

static herr_t keep_innermost(unsigned n, const H5E_error2_t *entry, void *text)
{
    if (n == 0 && entry->desc)
        snprintf(text, 256, ": %s", entry->desc);
    return 0;
}

/* An error about `what`, with HDF5's own reason if it has one. */
static waio_status h5_error(const char *what)
{
    char reason[256] = "";

    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, reason);
    return waio_error(WAIO_EINPUT, "HDF5 cannot read %s%s", what, reason);
}

#define H5_TRY(st, result, call, what)                                                             \
    do {                                                                                           \
        (result) = (call);                                                                         \
        if ((result) < 0) {                                                                        \
            (st) = h5_error(what);                                                                 \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

static void close_id(hid_t id, herr_t (*close)(hid_t))
{
    if (id >= 0)
        close(id);
}

static herr_t refuse_link(const char *parent_file, const char *parent_group, const char *child_file,
                          const char *child_object, unsigned *flags, hid_t access, void *payload)
{
    (void)parent_file, (void)parent_group, (void)child_file, (void)child_object;
    (void)flags, (void)access, (void)payload;
    return -1;
}

static waio_status open_file(waio_hdf5 *h5, const char *path)
{
    hid_t access = H5I_INVALID_HID;
    waio_status st = WAIO_OK;
    herr_t e;

    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0);
    if (H5Fis_hdf5(path) <= 0)
        WAIO_FAIL(st, WAIO_EINPUT, "this is not an HDF5 file");
    H5_TRY(st, access, H5Pcreate(H5P_FILE_ACCESS), "the file");
    H5_TRY(st, e, H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), "the file");
#if H5_VERSION_GE(1, 10, 7)
    /* Reading needs no lock, and network file systems often have none. */
    H5_TRY(st, e, H5Pset_file_locking(access, 0, 1), "the file");
#endif
    H5_TRY(st, h5->link_access, H5Pcreate(H5P_LINK_ACCESS), "the file");
    H5_TRY(st, e, H5Pset_elink_cb(h5->link_access, refuse_link, NULL), "the file");
    H5_TRY(st, h5->file, H5Fopen(path, H5F_ACC_RDONLY, access), "the file");
done:
    close_id(access, H5Pclose);
    return st;
}

waio_status waio_hdf5_open(waio_hdf5 **out, const char *path, size_t bytes)
{
    waio_hdf5 *h5 = malloc(sizeof *h5);
    waio_status st = WAIO_OK;

    *out = NULL;
    if (!h5)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    *h5 = (waio_hdf5){bytes, H5I_INVALID_HID, H5I_INVALID_HID};
    WAIO_TRY(st, open_file(h5, path));
    *out = h5;
    h5 = NULL;
done:
    waio_hdf5_close(h5);
    return st;
}

void waio_hdf5_close(waio_hdf5 *h5)
{
    if (!h5)
        return;
    close_id(h5->link_access, H5Pclose);
    close_id(h5->file, H5Fclose);
    free(h5);
}

static hid_t open_group(const waio_hdf5 *h5, const char *group)
{
    return H5Oopen(h5->file, *group ? group : "/", h5->link_access);
}

bool waio_hdf5_has_group(const waio_hdf5 *h5, const char *group)
{
    hid_t id = open_group(h5, group);
    bool there = id >= 0 && H5Iget_type(id) == H5I_GROUP;

    close_id(id, H5Oclose);
    return there;
}

bool waio_hdf5_has_attribute(const waio_hdf5 *h5, const char *group, const char *name)
{
    hid_t id = open_group(h5, group);
    bool there = id >= 0 && H5Aexists(id, name) > 0;

    close_id(id, H5Oclose);
    return there;
}

/* ---- strings ---- */

/* An attribute of `count` strings: pointers (variable length) or cells of `width` bytes. */
static waio_status read_variable(char **out, hsize_t count, hid_t attribute, const char *name,
                                 waio_arena *arena)
{
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    char **text = NULL;
    waio_status st = WAIO_OK;
    herr_t e;

    WAIO_NEW(st, text, arena, count);
    H5_TRY(st, type, H5Aget_type(attribute), name);
    H5_TRY(st, space, H5Aget_space(attribute), name);
    H5_TRY(st, e, H5Aread(attribute, type, text), name);
    for (hsize_t i = 0; i < count; i++) {
        out[i] = waio_arena_strdup(arena, text[i] ? text[i] : "");
        if (!out[i]) {
            st = WAIO_ENOMEM;
            break;
        }
    }
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, text);
done:
    close_id(type, H5Tclose);
    close_id(space, H5Sclose);
    return st;
}

static waio_status read_fixed(char **out, hsize_t count, size_t width, hid_t attribute,
                              const waio_hdf5 *h5, const char *name, waio_arena *arena)
{
    hid_t type = H5I_INVALID_HID;
    char *cells = NULL;
    waio_status st = WAIO_OK;
    herr_t e;

    if (width > MOST_TEXT || count * width > h5->bytes)
        WAIO_FAIL(st, WAIO_EINPUT, "attribute %s is larger than the file", name);
    WAIO_NEW(st, cells, arena, count * width + 1);
    H5_TRY(st, type, H5Aget_type(attribute), name);
    H5_TRY(st, e, H5Aread(attribute, type, cells), name);
    for (hsize_t i = 0; i < count; i++) {
        WAIO_NEW(st, out[i], arena, width + 1);
        memcpy(out[i], cells + i * width, width);
    }
done:
    close_id(type, H5Tclose);
    return st;
}

/* Opens the attribute and counts its items; an empty list may be of any type (h5py: float64). */
static waio_status read_strings(char ***out, hsize_t *count, hid_t object, const waio_hdf5 *h5,
                                const char *name, waio_arena *arena)
{
    hid_t attribute = H5I_INVALID_HID, type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    hssize_t points;
    htri_t variable;
    waio_status st = WAIO_OK;

    H5_TRY(st, attribute, H5Aopen(object, name, H5P_DEFAULT), name);
    H5_TRY(st, type, H5Aget_type(attribute), name);
    H5_TRY(st, space, H5Aget_space(attribute), name);
    H5_TRY(st, points, H5Sget_simple_extent_npoints(space), name);
    if (points > MOST_STRINGS || (size_t)points > h5->bytes)
        WAIO_FAIL(st, WAIO_EINPUT, "attribute %s claims %lld strings", name, (long long)points);
    *count = (hsize_t)points;
    WAIO_NEW(st, *out, arena, *count);
    if (points == 0)
        goto done;
    if (H5Tget_class(type) != H5T_STRING)
        WAIO_FAIL(st, WAIO_EINPUT, "attribute %s does not hold text", name);
    H5_TRY(st, variable, H5Tis_variable_str(type), name);
    if (variable)
        st = read_variable(*out, *count, attribute, name, arena);
    else
        st = read_fixed(*out, *count, H5Tget_size(type), attribute, h5, name, arena);
done:
    close_id(space, H5Sclose);
    close_id(type, H5Tclose);
    close_id(attribute, H5Aclose);
    return st;
}

waio_status waio_hdf5_string(char **out, const waio_hdf5 *h5, const char *group, const char *name,
                             waio_arena *arena)
{
    hid_t object = H5I_INVALID_HID;
    char **list = NULL;
    hsize_t count = 0;
    waio_status st = WAIO_OK;

    H5_TRY(st, object, open_group(h5, group), group);
    WAIO_TRY(st, read_strings(&list, &count, object, h5, name, arena));
    if (count != 1)
        WAIO_FAIL(st, WAIO_EINPUT, "attribute %s holds %llu strings, expected one", name,
                  (unsigned long long)count);
    *out = list[0];
done:
    close_id(object, H5Oclose);
    return st;
}

waio_status waio_hdf5_strings(char ***out, int *count, const waio_hdf5 *h5, const char *group,
                              const char *name, waio_arena *arena)
{
    hid_t object = H5I_INVALID_HID;
    hsize_t more = 0;
    char **chunk = NULL;
    waio_status st = WAIO_OK;

    *out = NULL;
    *count = 0;
    H5_TRY(st, object, open_group(h5, group), group);
    if (H5Aexists(object, name) > 0) {
        WAIO_TRY(st, read_strings(out, &more, object, h5, name, arena));
        *count = (int)more;
        goto done;
    }
    for (int i = 0; i < MOST_CHUNKS; i++) {
        char numbered[128];
        snprintf(numbered, sizeof numbered, "%s%d", name, i);
        if (H5Aexists(object, numbered) <= 0)
            break;
        WAIO_TRY(st, read_strings(&chunk, &more, object, h5, numbered, arena));
        char **joined;
        WAIO_NEW(st, joined, arena, (size_t)*count + more);
        for (int k = 0; k < *count; k++)
            joined[k] = (*out)[k];
        for (hsize_t k = 0; k < more; k++)
            joined[(hsize_t)*count + k] = chunk[k];
        *out = joined;
        *count += (int)more;
    }
    if (!*out)
        WAIO_FAIL(st, WAIO_EINPUT, "group /%s has no attribute %s", group, name);
done:
    close_id(object, H5Oclose);
    return st;
}

/* ---- what there is ---- */

typedef struct listing {
    char **path;
    int count, capacity;
    waio_arena *arena;
} listing;

static herr_t list_object(hid_t object, const char *name, const H5O_info_t *info, void *payload)
{
    listing *list = payload;

    (void)object;
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    if (list->count == list->capacity) {
        int more = list->capacity ? 2 * list->capacity : 256;
        char **moved = waio_arena_array(list->arena, (size_t)more, sizeof *moved);
        if (!moved || more > MOST_STRINGS)
            return -1;
        if (list->count)
            memcpy(moved, list->path, (size_t)list->count * sizeof *moved);
        list->path = moved;
        list->capacity = more;
    }
    list->path[list->count] = waio_arena_strdup(list->arena, name);
    return list->path[list->count++] ? 0 : -1;
}

/* Hard links alone are followed: a soft or external link names what is found without it. */
waio_status waio_hdf5_datasets(char ***out, int *count, const waio_hdf5 *h5, waio_arena *arena)
{
    listing list = {.arena = arena};
    waio_status st = WAIO_OK;
    herr_t e;

#if H5_VERSION_GE(1, 12, 0)
    H5_TRY(st, e,
           H5Ovisit3(h5->file, H5_INDEX_NAME, H5_ITER_INC, list_object, &list, H5O_INFO_BASIC),
           "the list of data sets");
#else
    H5_TRY(st, e, H5Ovisit(h5->file, H5_INDEX_NAME, H5_ITER_INC, list_object, &list),
           "the list of data sets");
#endif
    *out = list.path;
    *count = list.count;
done:
    return st;
}

/* ---- numbers ---- */

static waio_status open_dataset(hid_t *out, const waio_hdf5 *h5, const char *group,
                                const char *name)
{
    hid_t object = H5I_INVALID_HID;
    waio_status st = WAIO_OK;

    *out = H5I_INVALID_HID;
    H5_TRY(st, object, open_group(h5, group), group);
    *out = H5Oopen(object, name, h5->link_access);
    if (*out < 0)
        WAIO_FAIL(st, WAIO_EINPUT, "data set /%s/%s is missing or damaged", group, name);
    if (H5Iget_type(*out) != H5I_DATASET)
        WAIO_FAIL(st, WAIO_EINPUT, "/%s/%s is not a data set", group, name);
done:
    close_id(object, H5Oclose);
    return st;
}

/* The data must lie in this file, and be there in full. */
static waio_status check_storage(const waio_hdf5 *h5, hid_t dataset, int64_t count,
                                 const char *name)
{
    hid_t creation = H5I_INVALID_HID, type = H5I_INVALID_HID;
    H5D_layout_t layout;
    int external;
    waio_status st = WAIO_OK;

    H5_TRY(st, type, H5Dget_type(dataset), name);
    if (H5Tget_class(type) != H5T_FLOAT)
        WAIO_FAIL(st, WAIO_EINPUT, "data set %s does not hold floating-point numbers", name);
    H5_TRY(st, creation, H5Dget_create_plist(dataset), name);
    H5_TRY(st, layout, H5Pget_layout(creation), name);
    H5_TRY(st, external, H5Pget_external_count(creation), name);
    if (layout == H5D_VIRTUAL || external)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "data set %s keeps its numbers in another file", name);

    hsize_t stored = H5Dget_storage_size(dataset);
    hsize_t needed = (hsize_t)count * H5Tget_size(type);
    hsize_t least = layout == H5D_CHUNKED ? needed / MOST_COMPRESSION : needed;
    if (stored < least || (needed && !stored) || (stored > h5->bytes && layout != H5D_CHUNKED))
        WAIO_FAIL(st, WAIO_EINPUT, "data set %s claims %llu bytes, the file holds %llu", name,
                  (unsigned long long)needed,
                  (unsigned long long)(stored > h5->bytes ? h5->bytes : stored));
done:
    close_id(creation, H5Pclose);
    close_id(type, H5Tclose);
    return st;
}

waio_status waio_hdf5_shape(waio_shape *out, const waio_hdf5 *h5, const char *group,
                            const char *name)
{
    hid_t dataset = H5I_INVALID_HID, space = H5I_INVALID_HID;
    hsize_t dim[WAIO_MAX_RANK];
    waio_status st = WAIO_OK;
    int rank;

    WAIO_TRY(st, open_dataset(&dataset, h5, group, name));
    H5_TRY(st, space, H5Dget_space(dataset), name);
    H5_TRY(st, rank, H5Sget_simple_extent_ndims(space), name);
    if (rank > WAIO_MAX_RANK || H5Sget_simple_extent_type(space) == H5S_NULL)
        WAIO_FAIL(st, WAIO_EINPUT, "data set %s has %d dimensions, expected at most %d", name, rank,
                  WAIO_MAX_RANK);
    H5_TRY(st, rank, H5Sget_simple_extent_dims(space, dim, NULL), name);
    *out = (waio_shape){.rank = rank};
    for (int i = 0; i < rank; i++)
        out->dim[i] = dim[i] <= INT64_MAX ? (int64_t)dim[i] : -1;
    if (waio_shape_count(out) < 0)
        WAIO_FAIL(st, WAIO_EINPUT, "data set %s is empty or too large", name);
    WAIO_TRY(st, check_storage(h5, dataset, waio_shape_count(out), name));
done:
    close_id(space, H5Sclose);
    close_id(dataset, H5Oclose);
    return st;
}

waio_status waio_hdf5_floats(float *out, int64_t count, const waio_hdf5 *h5, const char *group,
                             const char *name)
{
    hid_t dataset = H5I_INVALID_HID, space = H5I_INVALID_HID;
    hssize_t points;
    waio_status st = WAIO_OK;
    herr_t e;

    WAIO_TRY(st, open_dataset(&dataset, h5, group, name));
    H5_TRY(st, space, H5Dget_space(dataset), name);
    H5_TRY(st, points, H5Sget_simple_extent_npoints(space), name);
    if (points != count)
        WAIO_FAIL(st, WAIO_EINPUT, "data set %s holds %lld numbers, expected %lld", name,
                  (long long)points, (long long)count);
    WAIO_TRY(st, check_storage(h5, dataset, count, name));
    H5_TRY(st, e, H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, out), name);
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(out[i]))
            WAIO_FAIL(st, WAIO_EINPUT, "data set /%s/%s: number %lld is %s", group, name,
                      (long long)i, isnan(out[i]) ? "NaN" : "infinite");
done:
    close_id(space, H5Sclose);
    close_id(dataset, H5Oclose);
    return st;
}
