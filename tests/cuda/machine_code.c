/* machine_code RULES OBJECT...: what nvcc made of the kernels. Finds the cubins (ELF files for
 * NVIDIA's machines) inside object files whose device code is not compressed, counts the opcodes of
 * every kernel, reads its registers, and holds them against rules (machine_code.txt).
 *
 * An instruction has 16 bytes on all targets since sm_70, its opcode is the low 12 bits. Opcodes
 * and bits were seen in nvcc 13.0's output for kernels of one instruction. With --list instead of
 * rules: prints what is there. */
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MACHINE_CUDA = 190, MAX_KERNELS = 4096, MAX_RULES = 512, INFO_REGCOUNT = 0x2f04 };

/* An instruction: `code` in the low 12 bits, and of bits 64 and up those of `mask` as in `bits`. */
typedef struct opcode {
    const char *name;
    unsigned code;
    uint64_t mask, bits;
} opcode;

#define BIT(n) (UINT64_C(1) << ((n)-64))
#define SIGNS  (BIT(76) | BIT(78))
#define WIDTH  (BIT(73) | BIT(74) | BIT(75))
static const opcode opcodes[] = {
    {"IMMA", 0x237, 0, 0},
    {"IMMA.S8.S8", 0x237, SIGNS, BIT(76) | BIT(78)},
    {"IMMA.S8.U8", 0x237, SIGNS, BIT(76)},
    {"IMMA.U8.S8", 0x237, SIGNS, BIT(78)},
    {"IMMA.U8.U8", 0x237, SIGNS, 0},
    {"IMMA.SATURATE", 0x237, BIT(82), BIT(82)},
    {"LDSM", 0x83b, 0, 0},
    {"LDGSTS", 0xfae, 0, 0},
    {"LDGDEPBAR", 0x9af, 0, 0},
    {"DEPBAR", 0x91a, 0, 0},
    {"BAR", 0xb1d, 0, 0},
    {"IDP", 0x226, 0, 0},
    {"LDG", 0x981, 0, 0},
    {"LDG", 0x381, 0, 0},
    {"LDG.128", 0x981, WIDTH, BIT(74) | BIT(75)},
    {"LDG.128", 0x381, WIDTH, BIT(74) | BIT(75)},
    {"STG", 0x986, 0, 0},
    {"STG", 0x386, 0, 0},
    {"STG.128", 0x986, WIDTH, BIT(74) | BIT(75)},
    {"STG.128", 0x386, WIDTH, BIT(74) | BIT(75)},
    {"STG.64", 0x986, WIDTH, BIT(73) | BIT(75)},
    {"STG.32", 0x986, WIDTH, BIT(75)},
    {"LDS", 0x984, 0, 0},
    {"STS", 0x988, 0, 0},
    {"STS", 0x388, 0, 0},
    {"SHFL", 0x589, 0, 0},
    {"SHFL", 0xf89, 0, 0},
    {"LDL", 0x983, 0, 0},
    {"STL", 0x387, 0, 0},
    {"STL", 0x987, 0, 0},
    {"ATOM", 0x9a8, 0, 0},
    {"ATOM", 0x98e, 0, 0},
    {"ATOM.F32", 0x9a8, WIDTH, BIT(73) | BIT(74)},
    {"ATOM.F32", 0x98e, WIDTH, BIT(73) | BIT(74)},
    {"ATOM.F32", 0x9a3, 0, 0}, /* floats' own, sm_120 */
    {"ATOM.F32", 0x9a6, 0, 0},
};
enum { OPCODES = sizeof opcodes / sizeof *opcodes };

typedef struct kernel {
    char name[512];
    int sm, registers, instructions;
    int count[OPCODES];
} kernel;

typedef struct rule {
    char kernel[256], what[32], relation[3];
    int least_sm, most_sm, count;
    int line, used;
} rule;

static kernel kernels[MAX_KERNELS];
static int kernel_count;
static rule rules[MAX_RULES];
static int rule_count;

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "machine_code: %s: %s\n", name, what);
    exit(1);
}

/* ---- cubins ---- */

static void count_opcodes(kernel *k, const unsigned char *code, size_t bytes)
{
    for (size_t i = 0; i + 16 <= bytes; i += 16) {
        uint64_t low, high;
        memcpy(&low, code + i, 8);
        memcpy(&high, code + i + 8, 8);
        k->instructions++;
        for (int o = 0; o < OPCODES; o++)
            k->count[o] +=
                (low & 0xfff) == opcodes[o].code && (high & opcodes[o].mask) == opcodes[o].bits;
    }
}

/* Registers of the symbol from section .nv.info: entries of format and attribute (2 bytes), size
 * (2), then for REGCOUNT the symbol and the number (4 each). 0 if there is none. */
static int registers_of(const unsigned char *info, size_t bytes, uint32_t symbol)
{
    for (size_t i = 0; i + 4 <= bytes;) {
        uint16_t kind, size;
        uint32_t entry[2];
        memcpy(&kind, info + i, 2);
        memcpy(&size, info + i + 2, 2);
        i += 4;
        if ((kind & 0xff) != 4)
            continue; /* the size is the value itself */
        if (kind == INFO_REGCOUNT && size == 8 && i + 8 <= bytes) {
            memcpy(entry, info + i, 8);
            if (entry[0] == symbol)
                return (int)entry[1];
        }
        i += size;
    }
    return 0;
}

static void read_kernel(const unsigned char *cubin, const Elf64_Shdr *text, const Elf64_Shdr *info,
                        const char *name, int sm)
{
    uint32_t symbol = text->sh_info & 0xffffff;
    kernel *k = &kernels[kernel_count++];

    if (kernel_count == MAX_KERNELS)
        fail("too many kernels", name);
    snprintf(k->name, sizeof k->name, "%s", name);
    k->sm = sm;
    k->registers = (int)(text->sh_info >> 24);
    if (info && k->registers == 0)
        k->registers = registers_of(cubin + info->sh_offset, info->sh_size, symbol);
    count_opcodes(k, cubin + text->sh_offset, text->sh_size);
}

/* A cubin that begins at `cubin`, within `bytes`. True if it is one. */
static bool read_cubin(const unsigned char *cubin, size_t bytes)
{
    static const char prefix[] = ".text.";
    Elf64_Ehdr header;
    const Elf64_Shdr *info = NULL;

    if (bytes < sizeof header || memcmp(cubin, ELFMAG, SELFMAG) != 0)
        return false;
    memcpy(&header, cubin, sizeof header);
    if (header.e_machine != MACHINE_CUDA || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_shoff + (size_t)header.e_shnum * sizeof(Elf64_Shdr) > bytes)
        return false;
    size_t size = header.e_shnum * sizeof(Elf64_Shdr);
    Elf64_Shdr *section = malloc(size);
    if (!section)
        fail("out of memory", "cubin");
    memcpy(section, cubin + header.e_shoff, size);
    const char *names = (const char *)cubin + section[header.e_shstrndx].sh_offset;
    for (int s = 0; s < header.e_shnum; s++)
        if (strcmp(names + section[s].sh_name, ".nv.info") == 0)
            info = &section[s];
    for (int s = 0; s < header.e_shnum; s++) {
        const char *name = names + section[s].sh_name;
        if (section[s].sh_type == SHT_PROGBITS && strncmp(name, prefix, sizeof prefix - 1) == 0)
            read_kernel(cubin, &section[s], info, name + sizeof prefix - 1,
                        (int)(header.e_flags >> 8 & 0xff));
    }
    free(section);
    return true;
}

static void read_object(const char *path)
{
    FILE *file = fopen(path, "rb");
    long bytes;
    int found = 0;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (bytes = ftell(file)) <= 0)
        fail("cannot be read", path);
    rewind(file);
    unsigned char *data = malloc((size_t)bytes);
    if (!data || fread(data, 1, (size_t)bytes, file) != (size_t)bytes)
        fail("cannot be read", path);
    fclose(file);
    for (size_t i = 0; i + 8 <= (size_t)bytes; i += 8)
        found += read_cubin(data + i, (size_t)bytes - i);
    free(data);
    if (!found)
        fail("holds no uncompressed device code", path);
}

/* ---- rules ---- */

static void read_rules(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512];

    if (!file)
        fail("cannot be read", path);
    for (int number = 1; fgets(line, sizeof line, file); number++) {
        rule *r = &rules[rule_count];
        if (line[0] == '#' || strspn(line, " \t\n") == strlen(line))
            continue;
        if (rule_count == MAX_RULES ||
            sscanf(line, "%255s %d-%d %31s %2[<=>] %d", r->kernel, &r->least_sm, &r->most_sm,
                   r->what, r->relation, &r->count) != 6) {
            fprintf(stderr, "%s:%d: expected: kernel 75-120 OPCODE = count\n", path, number);
            exit(1);
        }
        r->line = number;
        rule_count++;
    }
    fclose(file);
}

/* The number that a rule is about; -1 if there is no such opcode. */
static int quantity(const kernel *k, const char *what)
{
    int sum = -1;

    if (strcmp(what, "registers") == 0)
        return k->registers;
    for (int o = 0; o < OPCODES; o++)
        if (strcmp(opcodes[o].name, what) == 0)
            sum = (sum < 0 ? 0 : sum) + k->count[o];
    return sum;
}

static bool holds(const rule *r, int value)
{
    if (strcmp(r->relation, "=") == 0)
        return value == r->count;
    return strcmp(r->relation, "<=") == 0   ? value <= r->count
           : strcmp(r->relation, ">=") == 0 ? value >= r->count
                                            : false;
}

static bool applies(const rule *r, const kernel *k)
{
    return k->sm >= r->least_sm && k->sm <= r->most_sm &&
           (strcmp(r->kernel, "*") == 0 || strstr(k->name, r->kernel));
}

static bool target_is_built(const rule *r)
{
    for (int i = 0; i < kernel_count; i++)
        if (kernels[i].sm >= r->least_sm && kernels[i].sm <= r->most_sm)
            return true;
    return false;
}

static int check_rules(const char *path)
{
    int checks = 0, broken = 0;

    for (rule *r = rules; r < rules + rule_count; r++) {
        for (const kernel *k = kernels; k < kernels + kernel_count; k++) {
            if (!applies(r, k))
                continue;
            int value = quantity(k, r->what);
            r->used++;
            checks++;
            if (value >= 0 && holds(r, value))
                continue;
            broken++;
            fprintf(stderr, "%s:%d: %s (sm_%d): %s is %d, not %s %d\n", path, r->line, k->name,
                    k->sm, r->what, value, r->relation, r->count);
        }
        if (!r->used && target_is_built(r)) {
            broken++;
            fprintf(stderr, "%s:%d: no kernel is called like %s\n", path, r->line, r->kernel);
        }
    }
    fprintf(stderr, "%d kernels, %d checks, %d failed\n", kernel_count, checks, broken);
    return broken || checks == 0;
}

static void list_kernels(void)
{
    for (const kernel *k = kernels; k < kernels + kernel_count; k++) {
        printf("sm_%d %s: %d registers, %d instructions;", k->sm, k->name, k->registers,
               k->instructions);
        for (int o = 0; o < OPCODES; o++)
            if (k->count[o])
                printf(" %s %d", opcodes[o].name, k->count[o]);
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: machine_code RULES|--list OBJECT...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++)
        read_object(argv[i]);
    if (strcmp(argv[1], "--list") == 0) {
        list_kernels();
        return 0;
    }
    read_rules(argv[1]);
    return check_rules(argv[1]);
}
