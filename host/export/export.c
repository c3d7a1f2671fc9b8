#include "export/export.h"

#include <stdlib.h>

#include "export/onnx_write.h"
#include "export/tflite_write.h"
#include "util/file.h"

typedef struct format {
    const char *suffix;
    waio_status (*write)(unsigned char **data, size_t *size, const waio_graph *graph);
} format;

static const format formats[] = {{".tflite", waio_tflite_write}, {".onnx", waio_onnx_write}};
enum { FORMATS = sizeof formats / sizeof *formats };

static waio_status find_format(const format **out, const char *path)
{
    for (int i = 0; i < FORMATS; i++)
        if (waio_path_has_suffix(path, formats[i].suffix)) {
            *out = &formats[i];
            return WAIO_OK;
        }
    return waio_error(WAIO_EUSAGE, "%s: networks are written as .tflite or .onnx", path);
}

waio_status waio_export_check(const char *path)
{
    const format *f = NULL;
    return find_format(&f, path);
}

waio_status waio_export_size(size_t *size, const waio_graph *graph, const char *path)
{
    waio_status st = WAIO_OK;
    const format *f = NULL;
    unsigned char *data = NULL;

    WAIO_TRY(st, find_format(&f, path));
    WAIO_TRY(st, f->write(&data, size, graph));
done:
    free(data);
    return st;
}

waio_status waio_export_model(const waio_graph *graph, const char *path)
{
    waio_status st = WAIO_OK;
    const format *f = NULL;
    unsigned char *data = NULL;
    size_t size = 0;

    WAIO_TRY(st, find_format(&f, path));
    WAIO_TRY(st, f->write(&data, &size, graph));
    WAIO_TRY(st, waio_file_replace(path, data, size));
done:
    free(data);
    return st;
}
