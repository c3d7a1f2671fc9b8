/* TensorFlow Lite files: the walk over the one subgraph's operators, which stand in execution
 * order. */
#include <string.h>

#include "import/import.h"
#include "import/tflite_import.h"
#include "util/file.h"

/* No real network has as many; damaged files do. */
enum { MOST_OPERATORS = 20000 };

waio_status waio_tfl_tensor_at(waio_tfl_tensor **out, waio_tfl *tfl, int32_t index)
{
    *out = NULL;
    if (index == -1)
        return WAIO_OK;
    if (index < 0 || (uint32_t)index >= tfl->tensor_count)
        return waio_error(WAIO_EINPUT, "tensor %d is named, there are %u", index,
                          tfl->tensor_count);
    *out = &tfl->tensor[index];
    return WAIO_OK;
}

static waio_status read_code(waio_tfl_operator *op, waio_tfl *tfl, const waio_flat_vector *codes,
                             uint32_t index)
{
    waio_status st = WAIO_OK;
    waio_flat_table table;
    uint8_t old = 0;

    WAIO_TRY(st, waio_flat_element(&table, &tfl->file, codes, index));
    WAIO_TRY(st, waio_flat_u8(&old, &tfl->file, &table, CODE_OLD, 0));
    WAIO_TRY(st, waio_flat_i32(&op->code, &tfl->file, &table, CODE_NEW, 0));
    op->code =
        op->code > old ? op->code : old; /* codes below 127 may stand in the old field only */
    op->name = waio_tfl_builtin_name(op->code);
    if (op->code == BUILTIN_CUSTOM) {
        WAIO_TRY(st, waio_flat_string(&op->name, &tfl->file, &table, CODE_CUSTOM));
        if (strcmp(op->name, WAIO_TFL_DETECTION) != 0)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                      "the custom operator \"%.100s\" is not supported; supported "
                      "is " WAIO_TFL_DETECTION,
                      op->name);
    }
done:
    return st;
}

static waio_status read_operator(waio_tfl_operator *op, waio_tfl *tfl,
                                 const waio_flat_vector *operators, uint32_t i,
                                 const waio_flat_vector *codes)
{
    waio_status st = WAIO_OK;
    waio_flat_table table;
    int32_t code = 0;

    WAIO_TRY(st, waio_flat_element(&table, &tfl->file, operators, i));
    WAIO_TRY(st, waio_flat_i32(&code, &tfl->file, &table, OPERATOR_CODE, 0));
    WAIO_TRY(st, read_code(op, tfl, codes, (uint32_t)code));
    WAIO_TRY(st, waio_flat_vector_field(&op->input, &tfl->file, &table, OPERATOR_INPUTS, 4));
    WAIO_TRY(st, waio_flat_vector_field(&op->output, &tfl->file, &table, OPERATOR_OUTPUTS, 4));
    WAIO_TRY(st, waio_flat_child(&op->options, &tfl->file, &table, OPERATOR_OPTIONS));
    WAIO_TRY(st, waio_flat_vector_field(&op->custom_options, &tfl->file, &table,
                                        OPERATOR_CUSTOM_OPTIONS, 1));
done:
    return st;
}

static waio_status import_operators(waio_tfl *tfl, const waio_flat_table *subgraph,
                                    const waio_flat_vector *codes)
{
    waio_status st = WAIO_OK;
    waio_flat_vector operators;

    WAIO_TRY(st, waio_flat_vector_field(&operators, &tfl->file, subgraph, GRAPH_OPERATORS, 4));
    if (operators.count > MOST_OPERATORS)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%u operators, at most %d are supported", operators.count,
                  MOST_OPERATORS);
    for (uint32_t i = 0; i < operators.count; i++) {
        waio_tfl_operator op = {.name = "?"};
        st = read_operator(&op, tfl, &operators, i, codes);
        if (st == WAIO_OK)
            st = op.code == BUILTIN_CUSTOM ? waio_tfl_import_detection(tfl, &op)
                                           : waio_tfl_import_operator(tfl, &op);
        if (st != WAIO_OK)
            return waio_error_context(st, "operator %u (%.100s)", i, op.name ? op.name : "?");
    }
done:
    return st;
}

static waio_status import_input(waio_tfl *tfl, const waio_flat_table *subgraph)
{
    waio_status st = WAIO_OK;
    waio_flat_vector inputs;
    waio_tfl_tensor *tensor = NULL;

    WAIO_TRY(st, waio_flat_vector_field(&inputs, &tfl->file, subgraph, GRAPH_INPUTS, 4));
    if (inputs.count != 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the network has %u inputs, expected one", inputs.count);
    WAIO_TRY(st, waio_tfl_tensor_at(&tensor, tfl, waio_flat_i32_at(&tfl->file, &inputs, 0)));
    if (!tensor)
        WAIO_FAIL(st, WAIO_EINPUT, "the input is no tensor");
    WAIO_TRY(st, waio_graph_add_input(tfl->graph, &tensor->id, tensor->name, &tensor->shape));
    WAIO_TRY(st, waio_tfl_set_type(tfl, tensor->id, tensor));
done:
    return st;
}

static waio_status import_outputs(waio_tfl *tfl, const waio_flat_table *subgraph)
{
    waio_status st = WAIO_OK;
    waio_flat_vector outputs;
    waio_tfl_tensor *tensor = NULL;

    WAIO_TRY(st, waio_flat_vector_field(&outputs, &tfl->file, subgraph, GRAPH_OUTPUTS, 4));
    if (tfl->graph->detector)
        return waio_tfl_detection_outputs(tfl, &outputs);
    for (uint32_t i = 0; i < outputs.count; i++) {
        int id = -1;
        WAIO_TRY(st, waio_tfl_tensor_at(&tensor, tfl, waio_flat_i32_at(&tfl->file, &outputs, i)));
        if (!tensor)
            WAIO_FAIL(st, WAIO_EINPUT, "output %u is no tensor", i);
        if ((st = waio_tfl_value(&id, tfl, tensor)) != WAIO_OK)
            return waio_error_context(st, "output %u", i);
        WAIO_TRY(st, waio_graph_add_output(tfl->graph, id));
    }
done:
    return st;
}

static waio_status import_file(waio_tfl *tfl)
{
    waio_status st = WAIO_OK;
    waio_flat_table model, subgraph, table;
    waio_flat_vector codes, subgraphs, buffers, tensors;

    WAIO_TRY(st, waio_flat_root(&model, &tfl->file, "TFL3"));
    WAIO_TRY(st, waio_flat_vector_field(&codes, &tfl->file, &model, MODEL_CODES, 4));
    WAIO_TRY(st, waio_flat_vector_field(&subgraphs, &tfl->file, &model, MODEL_SUBGRAPHS, 4));
    WAIO_TRY(st, waio_flat_vector_field(&buffers, &tfl->file, &model, MODEL_BUFFERS, 4));
    if (subgraphs.count != 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%u subgraphs, expected one", subgraphs.count);
    WAIO_TRY(st, waio_flat_element(&subgraph, &tfl->file, &subgraphs, 0));
    WAIO_TRY(st, waio_flat_vector_field(&tensors, &tfl->file, &subgraph, GRAPH_TENSORS, 4));
    WAIO_NEW(st, tfl->tensor, tfl->arena, tensors.count);
    tfl->tensor_count = tensors.count;
    for (uint32_t i = 0; i < tensors.count; i++) {
        WAIO_TRY(st, waio_flat_element(&table, &tfl->file, &tensors, i));
        WAIO_TRY(st, waio_tfl_read_tensor(&tfl->tensor[i], tfl, &table, &buffers));
    }
    WAIO_TRY(st, import_input(tfl, &subgraph));
    WAIO_TRY(st, import_operators(tfl, &subgraph, &codes));
    WAIO_TRY(st, import_outputs(tfl, &subgraph));
    if (!tfl->graph->note && tfl->graph->value[tfl->graph->input].params.u8)
        tfl->graph->note = "uint8 codes and zero points are shown and held as int8, 128 lower";
    WAIO_TRY(st, waio_graph_validate(tfl->graph));
done:
    return st;
}

waio_status waio_import_tflite(waio_graph **out, const char *path)
{
    waio_status st = WAIO_OK;
    waio_tfl tfl = {0};
    unsigned char *data = NULL;

    tfl.arena = waio_arena_new();
    if (!tfl.arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_file_read(&data, &tfl.file.size, path, tfl.arena));
    tfl.file.data = data;
    /* Buffers may be shared, but the numbers of all constants stay near the size of the file. */
    tfl.spare_numbers = (int64_t)tfl.file.size * 16 + (1 << 20);
    tfl.graph = waio_graph_new(waio_path_base(path));
    if (!tfl.graph) {
        st = WAIO_ENOMEM;
        goto done;
    }
    if ((st = import_file(&tfl)) != WAIO_OK) {
        waio_error_context(st, "%s", path);
        goto done;
    }
    *out = tfl.graph;
    tfl.graph = NULL;
done:
    waio_graph_free(tfl.graph);
    waio_arena_free(tfl.arena);
    return st;
}
