/* What Fortran cannot ask the operating system or the processor. */

#ifdef _WIN32
#include <windows.h>
#else
#define _POSIX_C_SOURCE 200809L
#define _DARWIN_C_SOURCE /* F_FULLFSYNC */
#include <fcntl.h>
#include <unistd.h>
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fmdn_cpu_level(void);
int fmdn_replace_file(const char *temporary, const char *target);
int fmdn_remove_file(const char *path);
int fmdn_process_id(void);

/* The kernels this processor can run: 4 x86-64-v4, 3 x86-64-v3, 0 those for any processor. */
int fmdn_cpu_level(void)
{
#if defined(FMDN_DISPATCH_X86) && (defined(__x86_64__) || defined(_M_X64))
    __builtin_cpu_init();
    if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
          __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")))
        return 0;
    if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
          __builtin_cpu_supports("avx512vl")))
        return 3;
    return 4;
#else
    return 0;
#endif
}

#ifdef _WIN32

static int last_error(void)
{
    switch (GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
        return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
        return EACCES;
    case ERROR_DISK_FULL:
        return ENOSPC;
    default:
        return EIO;
    }
}

int fmdn_replace_file(const char *temporary, const char *target)
{
    HANDLE file = CreateFileA(temporary, GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                              FILE_ATTRIBUTE_NORMAL, NULL);
    int error = 0;
    if (file == INVALID_HANDLE_VALUE)
        return last_error();
    if (!FlushFileBuffers(file))
        error = last_error();
    CloseHandle(file);
    if (error == 0 && !MoveFileExA(temporary, target,
                                   MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
        error = last_error();
    return error;
}

#else

/* What was written to the descriptor is on the disk; 0 or errno. */
static int flush(int descriptor)
{
    int failed;
#ifdef F_FULLFSYNC
    if (fcntl(descriptor, F_FULLFSYNC) == 0)
        return 0;
#endif
    do
        failed = fsync(descriptor);
    while (failed && errno == EINTR);
    /* EINVAL: this kind of file has nothing to flush. */
    return failed && errno != EINVAL ? errno : 0;
}

/* The new name is on the disk too, where the file system can say so. */
static void flush_directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 1;
    char *directory = malloc(length + 1);
    int descriptor;
    if (!directory)
        return;
    memcpy(directory, slash ? path : ".", length);
    directory[length] = '\0';
    descriptor = open(directory, O_RDONLY | O_CLOEXEC);
    free(directory);
    if (descriptor < 0)
        return;
    flush(descriptor);
    close(descriptor);
}

/* Replace target by the finished file temporary (same directory): whoever looks sees the old file
   or the new one, whole, also after a crash. 0 or errno; on failure target is untouched. */
int fmdn_replace_file(const char *temporary, const char *target)
{
    int error, descriptor = open(temporary, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        return errno;
    error = flush(descriptor);
    if (close(descriptor) && !error)
        error = errno;
    if (error)
        return error;
    if (rename(temporary, target))
        return errno;
    flush_directory_of(target);
    return 0;
}

#endif

/* 0 or errno. */
int fmdn_remove_file(const char *path)
{
    return remove(path) ? errno : 0;
}

/* Tells the temporary files of processes that write at the same time apart. */
int fmdn_process_id(void)
{
#ifdef _WIN32
    return (int)GetCurrentProcessId();
#else
    return (int)getpid();
#endif
}
