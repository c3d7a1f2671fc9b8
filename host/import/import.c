/* Which importer a file belongs to, told by its first bytes and not by its name. */
#include "import/import.h"

#include <errno.h>
#include <string.h>

#include "util/file.h"

/* HDF5's signature stands at byte 0 or at 512, 1024, 2048, ... (behind a user block). */
static bool is_hdf5(FILE *file, size_t size)
{
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char head[8];

    for (size_t at = 0; at + sizeof head <= size; at = at ? at * 2 : 512)
        if (fseeko(file, (off_t)at, SEEK_SET) == 0 &&
            fread(head, 1, sizeof head, file) == sizeof head &&
            memcmp(head, signature, sizeof head) == 0)
            return true;
    return false;
}

/* What a file is that no importer reads, and what to do; NULL if it may be ONNX. */
static const char *foreign_format(const unsigned char head[8])
{
    if (memcmp(head, "PK\x03\x04", 4) == 0)
        return "a zip archive (Keras .keras or PyTorch), which is not supported yet: save the "
               "Keras model as .h5, or export the PyTorch model to ONNX (torch.onnx.export)";
    if (head[0] == 0x80 && head[1] >= 2 && head[1] <= 5)
        return "a Python pickle (PyTorch), which can run any program when it is read: export the "
               "model to ONNX (torch.onnx.export)";
    return NULL;
}

waio_status waio_import_is_hdf5(bool *out, const char *path)
{
    waio_status st = WAIO_OK;
    FILE *file = NULL;
    size_t size = 0;

    WAIO_TRY(st, waio_file_size(&size, path));
    file = fopen(path, "rb");
    if (!file)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: %s", path, strerror(errno));
    *out = is_hdf5(file, size);
done:
    if (file)
        fclose(file);
    return st;
}

waio_status waio_import_model(waio_graph **out, const char *path)
{
    waio_status st = WAIO_OK;
    FILE *file = NULL;
    unsigned char head[8] = {0};
    size_t size = 0;

    WAIO_TRY(st, waio_file_size(&size, path));
    file = fopen(path, "rb");
    if (!file)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: %s", path, strerror(errno));
    size_t got = fread(head, 1, sizeof head, file);
    const char *foreign = got == sizeof head ? foreign_format(head) : NULL;
    if (foreign)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s: %s", path, foreign);
    if (got == sizeof head && memcmp(head + 4, "TFL3", 4) == 0)
        WAIO_TRY(st, waio_import_tflite(out, path));
    else if (is_hdf5(file, size))
        WAIO_TRY(st, waio_import_keras_h5(out, path));
    else
        WAIO_TRY(st, waio_import_onnx(out, path));
done:
    if (file)
        fclose(file);
    return st;
}
