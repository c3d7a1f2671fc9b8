#include "models/models.h"

#include <stdlib.h>
#include <string.h>

#include "import/import.h"
#include "util/file.h"
#include "util/sha256.h"

const waio_builtin_model waio_builtin_models[] = {
    {"shapes_resnet8", "shapes_resnet8.h5", "ResNet-8 trained on the shapes data set"},
    {"shapes_mobilenet", "shapes_mobilenet.onnx",
     "small MobileNetV1 trained on the shapes data set"},
    {0},
};

static const char embedded_dir[] = WAIO_SOURCE_DIR "/datasets/shapes/models";

static waio_status locate_builtin(const char **path, const waio_builtin_model *builtin,
                                  waio_arena *arena)
{
    *path = waio_path_join(arena, embedded_dir, builtin->file);
    if (!*path)
        return WAIO_ENOMEM;
    if (!waio_file_exists(*path))
        return waio_error(WAIO_EINPUT, "built-in model %s: its file %s is missing", builtin->name,
                          *path);
    return WAIO_OK;
}

waio_status waio_model_locate(const char **path, const char *name, const waio_model_paths *paths,
                              waio_arena *arena)
{
    const char *models_dir = paths->models_dir ? paths->models_dir : getenv("WAIO_MODELS");
    const char *dir[] = {"", paths->beside, models_dir};

    for (const waio_builtin_model *b = waio_builtin_models; b->name; b++)
        if (strcmp(b->name, name) == 0)
            return locate_builtin(path, b, arena);
    for (size_t i = 0; i < sizeof dir / sizeof *dir; i++) {
        if (!dir[i])
            continue;
        *path = waio_path_join(arena, dir[i], name);
        if (!*path)
            return WAIO_ENOMEM;
        if (waio_file_exists(*path))
            return WAIO_OK;
    }
    return waio_error(WAIO_EINPUT,
                      "model \"%s\" is neither built in (shapes_resnet8, shapes_mobilenet) nor a "
                      "file%s%s; --models or WAIO_MODELS names the folder of model files",
                      name, models_dir ? " here or in " : " here", models_dir ? models_dir : "");
}

waio_status waio_model_import(waio_model *model, const char *name, const waio_model_paths *paths)
{
    waio_status st = WAIO_OK;
    const char *path = NULL;
    size_t bytes = 0;
    waio_arena *arena = waio_arena_new();

    *model = (waio_model){0};
    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_model_locate(&path, name, paths, arena));
    WAIO_TRY(st, waio_sha256_file(model->sha256, path));
    WAIO_TRY(st, waio_file_size(&bytes, path));
    model->bytes = (int64_t)bytes;
    WAIO_TRY(st, waio_import_model(&model->graph, path));
    strncpy(model->name, waio_path_base(name), sizeof model->name - 1);
done:
    waio_arena_free(arena);
    return st;
}

waio_status waio_model_load(waio_model *model, const char *name, const waio_model_paths *paths)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_model_import(model, name, paths));
    if ((st = waio_graph_optimize(model->graph)) != WAIO_OK) {
        waio_error_context(st, "%s", name);
        waio_model_free(model);
    }
done:
    return st;
}

void waio_model_free(waio_model *model)
{
    waio_graph_free(model->graph);
    *model = (waio_model){0};
}
