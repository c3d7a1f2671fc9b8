#include "models/models.h"

#include <stdlib.h>
#include <string.h>

#include "import/import.h"
#include "models/detector_file.h"
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

static waio_status find_file(const char **path, const char *name, const waio_model_paths *paths,
                             waio_arena *arena)
{
    const char *models_dir = paths->models_dir ? paths->models_dir : getenv("WAIO_MODELS");
    const char *dir[] = {"", paths->beside, models_dir};

    for (size_t i = 0; i < sizeof dir / sizeof *dir; i++) {
        if (!dir[i])
            continue;
        *path = waio_path_join(arena, dir[i], name);
        if (!*path)
            return WAIO_ENOMEM;
        if (waio_file_exists(*path))
            return WAIO_OK;
    }
    return waio_error(WAIO_EINPUT, "%s: no such file here%s%s", name, models_dir ? " or in " : "",
                      models_dir ? models_dir : "");
}

waio_status waio_model_locate(const char **path, const char *name, const waio_model_paths *paths,
                              waio_arena *arena)
{
    for (const waio_builtin_model *b = waio_builtin_models; b->name; b++)
        if (strcmp(b->name, name) == 0)
            return locate_builtin(path, b, arena);
    if (find_file(path, name, paths, arena) == WAIO_OK)
        return WAIO_OK;
    const char *models_dir = paths->models_dir ? paths->models_dir : getenv("WAIO_MODELS");
    return waio_error(WAIO_EINPUT,
                      "model \"%s\" is neither built in (`waio info` lists them) nor a file%s%s; "
                      "--models or WAIO_MODELS names the folder of model files",
                      name, models_dir ? " here or in " : " here", models_dir ? models_dir : "");
}

/* The name of the file in "float:FILE"; NULL: it does not begin so. */
static const char *float_of(const char *name)
{
    return strncmp(name, "float:", 6) == 0 ? name + 6 : NULL;
}

const char *waio_model_label(const char *name, waio_arena *arena)
{
    if (float_of(name))
        return waio_arena_printf(arena, "float:%s", waio_path_base(float_of(name)));
    return waio_architecture_find(name) ? waio_architecture_label(name, arena)
                                        : waio_arena_strdup(arena, waio_path_base(name));
}

/* The digest of everything that decides the numbers of a network that was built. */
static waio_status identify(char hex[65], const waio_architecture *architecture,
                            const waio_architecture_params *params, const char *weights,
                            waio_arena *arena)
{
    static const char version[] = "waio network 1"; /* counts changes of the builders */
    const char *text = waio_architecture_text(architecture, params, arena);
    char file[65] = "";
    waio_status st = WAIO_OK;
    waio_sha256 sha;

    if (!text)
        return WAIO_ENOMEM;
    if (weights)
        WAIO_TRY(st, waio_sha256_file(file, weights));
    waio_sha256_init(&sha);
    waio_sha256_add(&sha, version, sizeof version);
    waio_sha256_add(&sha, text, strlen(text));
    waio_sha256_add(&sha, file, strlen(file));
    waio_sha256_hex(&sha, hex);
done:
    return st;
}

static waio_status build(waio_model *model, const waio_architecture *architecture, const char *name,
                         const waio_model_paths *paths, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_architecture_params params;
    const char *weights = NULL;

    WAIO_TRY(st, waio_architecture_parse(&params, architecture, name, arena));
    if (params.weights && (st = find_file(&weights, params.weights, paths, arena)) != WAIO_OK) {
        waio_error_context(st, "weights of %s", architecture->name);
        goto done;
    }
    WAIO_TRY(st, waio_architecture_build(&model->graph, &model->trained, architecture, &params,
                                         weights));
    WAIO_TRY(st, identify(model->sha256, architecture, &params, weights, arena));
    model->bytes = 4 * waio_graph_params(model->graph);
done:
    return st;
}

/* A file of this name beside the model says how boxes come of its outputs; it is part of the
 * model's identity. */
static waio_status apply_detector_file(waio_model *model, const char *model_path, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const char *path = waio_arena_printf(arena, "%s" WAIO_DETECTOR_SUFFIX, model_path);
    char file[65] = "";
    waio_sha256 sha;

    if (!path)
        return WAIO_ENOMEM;
    if (!waio_file_exists(path))
        return WAIO_OK;
    WAIO_TRY(st, waio_detector_file_apply(model->graph, path));
    WAIO_TRY(st, waio_sha256_file(file, path));
    waio_sha256_init(&sha);
    waio_sha256_add(&sha, model->sha256, strlen(model->sha256));
    waio_sha256_add(&sha, file, strlen(file));
    waio_sha256_hex(&sha, model->sha256);
done:
    return st;
}

/* The float network that a file with codes stands for, known by a digest of its own. */
static waio_status make_float(waio_model *model, const char *path)
{
    waio_status st = WAIO_OK;
    static const char what[] = "float, ReLU6"; /* changes with what dequantizing makes */
    waio_sha256 sha;

    if (!waio_graph_is_quantized(model->graph))
        WAIO_FAIL(st, WAIO_EUSAGE, "%s is a float network; float: goes in front of quantized ones",
                  path);
    WAIO_TRY(st, waio_graph_dequantize(model->graph));
    waio_sha256_init(&sha);
    waio_sha256_add(&sha, what, sizeof what);
    waio_sha256_add(&sha, model->sha256, strlen(model->sha256));
    waio_sha256_hex(&sha, model->sha256);
    model->bytes = 4 * waio_graph_params(model->graph);
done:
    return st;
}

static waio_status import(waio_model *model, const char *name, const waio_model_paths *paths,
                          waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const char *path = NULL;
    size_t bytes = 0;

    WAIO_TRY(st, waio_model_locate(&path, float_of(name) ? float_of(name) : name, paths, arena));
    WAIO_TRY(st, waio_sha256_file(model->sha256, path));
    WAIO_TRY(st, waio_file_size(&bytes, path));
    model->bytes = (int64_t)bytes;
    model->trained = WAIO_TRAINED;
    WAIO_TRY(st, waio_import_model(&model->graph, path));
    WAIO_TRY(st, apply_detector_file(model, path, arena));
    if (float_of(name))
        WAIO_TRY(st, make_float(model, path));
done:
    return st;
}

waio_status waio_model_import(waio_model *model, const char *name, const waio_model_paths *paths)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = waio_arena_new();
    const waio_architecture *architecture = waio_architecture_find(name);

    *model = (waio_model){0};
    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, architecture ? build(model, architecture, name, paths, arena)
                              : import(model, name, paths, arena));
    model->params = waio_graph_params(model->graph);
    const char *label = waio_model_label(name, arena);
    if (!label)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    strncpy(model->name, label, sizeof model->name - 1);
done:
    if (st != WAIO_OK)
        waio_model_free(model);
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
