/* The frame of a protobuf message (protobuf.dev/programming-guides/encoding): a row of fields, each
 * a key (number * 8 + wire type) and a payload. protobuf-c trusts nesting, which a made-up file can
 * use to overflow the stack, and names no reason when it refuses a file; this pass does both. */
#include "import/onnx_import.h"

enum { MAX_DEPTH = 64 };
enum { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_LENGTH = 2, WIRE_32BIT = 5 };

typedef struct reader {
    const unsigned char *begin; /* of the file, for messages */
    const unsigned char *at, *end;
} reader;

static waio_status broken(const reader *r, const char *what)
{
    return waio_error(WAIO_EINPUT, "not an ONNX model, or a broken one: %s at byte %zu", what,
                      (size_t)(r->at - r->begin));
}

static waio_status read_varint(reader *r, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (r->at == r->end)
            return broken(r, "the data ends inside a number");
        unsigned char byte = *r->at++;
        if (shift < 64)
            *out |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return WAIO_OK;
    }
    return broken(r, "a number of more than 10 bytes");
}

static waio_status skip(reader *r, uint64_t bytes)
{
    if (bytes > (uint64_t)(r->end - r->at))
        return broken(r, "a field that reaches past the end of the data");
    r->at += bytes;
    return WAIO_OK;
}

static waio_status check_message(const ProtobufCMessageDescriptor *type, reader r, int depth);

static waio_status check_field(const ProtobufCMessageDescriptor *type, reader *r, int depth)
{
    waio_status st = WAIO_OK;
    const ProtobufCFieldDescriptor *field = NULL;
    uint64_t key = 0, length = 0;

    WAIO_TRY(st, read_varint(r, &key));
    if (key >> 3 == 0 || key >> 3 > 0x1fffffff)
        return broken(r, "an impossible field number");
    switch (key & 7) {
    case WIRE_VARINT:
        return read_varint(r, &length);
    case WIRE_64BIT:
        return skip(r, 8);
    case WIRE_32BIT:
        return skip(r, 4);
    case WIRE_LENGTH:
        break;
    default:
        return broken(r, "an unknown kind of field");
    }
    WAIO_TRY(st, read_varint(r, &length));
    reader inside = *r;
    WAIO_TRY(st, skip(r, length));
    inside.end = r->at;
    field = protobuf_c_message_descriptor_get_field(type, (unsigned)(key >> 3));
    if (field && field->type == PROTOBUF_C_TYPE_MESSAGE)
        st = check_message(field->descriptor, inside, depth + 1);
done:
    return st;
}

static waio_status check_message(const ProtobufCMessageDescriptor *type, reader r, int depth)
{
    waio_status st = WAIO_OK;

    if (depth > MAX_DEPTH)
        return broken(&r, "messages nested too deep");
    while (r.at < r.end)
        WAIO_TRY(st, check_field(type, &r, depth));
done:
    return st;
}

waio_status waio_onnx_check_wire(const ProtobufCMessageDescriptor *type, const unsigned char *data,
                                 size_t size)
{
    return check_message(type, (reader){.begin = data, .at = data, .end = data + size}, 0);
}
