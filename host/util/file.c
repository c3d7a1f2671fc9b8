#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

waio_status waio_file_size(size_t *size, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return waio_error(WAIO_EINPUT, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return waio_error(WAIO_EINPUT, "%s: not a regular file", path);
    *size = (size_t)info.st_size;
    return WAIO_OK;
}

waio_status waio_file_read(unsigned char **data, size_t *size, const char *path, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    FILE *file = NULL;
    size_t bytes = 0;

    WAIO_TRY(st, waio_file_size(&bytes, path));
    file = fopen(path, "rb");
    if (!file)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: %s", path, strerror(errno));
    unsigned char *buffer = waio_arena_alloc(arena, bytes + 1);
    if (!buffer) {
        st = WAIO_ENOMEM;
        goto done;
    }
    size_t got = fread(buffer, 1, bytes, file);
    if (got != bytes)
        WAIO_FAIL(st, WAIO_EIO, "%s: read %zu of %zu bytes: %s", path, got, bytes,
                  ferror(file) ? strerror(errno) : "the file became shorter while it was read");
    *data = buffer;
    *size = bytes;
done:
    if (file)
        fclose(file);
    return st;
}

bool waio_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool waio_dir_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *waio_path_join(waio_arena *arena, const char *dir, const char *name)
{
    if (name[0] == '/' || dir[0] == '\0')
        return waio_arena_strdup(arena, name);
    bool slash = dir[strlen(dir) - 1] == '/';
    return waio_arena_printf(arena, "%s%s%s", dir, slash ? "" : "/", name);
}

const char *waio_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *waio_path_dir(waio_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return waio_arena_strdup(arena, ".");
    if (slash == path)
        return waio_arena_strdup(arena, "/");
    return waio_arena_printf(arena, "%.*s", (int)(slash - path), path);
}

bool waio_path_has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n >= m && strcasecmp(path + n - m, suffix) == 0;
}

waio_status waio_make_dirs(const char *path)
{
    char part[4096];
    if (strlen(path) >= sizeof part)
        return waio_error(WAIO_EIO, "%.100s...: the path is too long", path);
    for (size_t i = 0; path[i]; i++) {
        part[i] = path[i];
        bool end = path[i + 1] == '\0' || path[i + 1] == '/';
        part[i + 1] = '\0';
        if (!end || path[i] == '/')
            continue;
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return waio_error(WAIO_EIO, "%s: cannot make the folder: %s", part, strerror(errno));
    }
    return WAIO_OK;
}

/* Whether all of it went to the disk. A file system that cannot flush says EINVAL. */
static bool write_whole(int fd, const unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t wrote = write(fd, data, size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        data += wrote;
        size -= (size_t)wrote;
    }
    return fsync(fd) == 0 || errno == EINVAL;
}

waio_status waio_file_replace(const char *path, const void *data, size_t size)
{
    waio_status st = WAIO_OK;
    int fd = -1;
    bool made = false;
    waio_arena *arena = waio_arena_new();
    char *beside = arena ? waio_arena_printf(arena, "%s.new", path) : NULL;

    if (!beside) {
        st = WAIO_ENOMEM;
        goto done;
    }
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    made = fd >= 0;
    bool good = made && write_whole(fd, data, size);
    if (made && close(fd) != 0)
        good = false;
    if (!good || rename(beside, path) != 0)
        st = waio_error(WAIO_EIO, "%s: writing failed: %s", path, strerror(errno));
    if (st != WAIO_OK && made)
        unlink(beside);
done:
    waio_arena_free(arena);
    return st;
}
