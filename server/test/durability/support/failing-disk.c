/*
 * Is preloaded into a process (LD_PRELOAD). Makes calls on the files of its database fail while the file that
 * FAILING_DISK names exists. Its content names the failure: "full" (ENOSPC for writes), "write" (EIO for writes) or
 * "sync" (EIO for fsync and fdatasync). FAILING_PATH is a part of the paths of the affected files. Each failure appends
 * a byte to FAILING_DISK + ".hits".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int fails(int file, const char *first, const char *second) {
  const char *control = getenv("FAILING_DISK"), *wanted = getenv("FAILING_PATH");
  if (!control || !wanted) return 0;
  int saved = errno, opened = open(control, O_RDONLY | O_CLOEXEC);
  if (opened < 0) return errno = saved, 0;
  char fault[16] = "", link[64], path[4096], hits[4096];
  ssize_t length = read(opened, fault, sizeof fault - 1);
  close(opened);
  errno = saved;
  if (length <= 0 || (strcmp(fault, first) && strcmp(fault, second))) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  length = readlink(link, path, sizeof path - 1);
  if (length < 0) return errno = saved, 0;
  path[length] = 0;
  if (!strstr(path, wanted)) return errno = saved, 0;
  snprintf(hits, sizeof hits, "%s.hits", control);
  opened = open(hits, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (opened >= 0) {
    /* Calls the real function: this file is not the database's, and its write must not fail. */
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    if (real(opened, fault, 1) < 0) errno = saved;
    close(opened);
  }
  errno = fault[0] == 'f' ? ENOSPC : EIO;
  return 1;
}

#define WRITING(name, result, parameters, arguments)                    \
  result name parameters {                                              \
    result(*real) parameters = dlsym(RTLD_NEXT, #name);                 \
    return fails(file, "full", "write") ? -1 : real arguments;          \
  }
WRITING(write, ssize_t, (int file, const void *bytes, size_t size), (file, bytes, size))
WRITING(writev, ssize_t, (int file, const struct iovec *parts, int count), (file, parts, count))
WRITING(pwrite, ssize_t, (int file, const void *bytes, size_t size, off_t at), (file, bytes, size, at))
WRITING(pwrite64, ssize_t, (int file, const void *bytes, size_t size, off64_t at), (file, bytes, size, at))
WRITING(pwritev, ssize_t, (int file, const struct iovec *parts, int count, off_t at), (file, parts, count, at))
WRITING(pwritev64, ssize_t, (int file, const struct iovec *parts, int count, off64_t at), (file, parts, count, at))
WRITING(ftruncate64, int, (int file, off64_t size), (file, size))

int posix_fallocate(int file, off_t at, off_t size) {
  int (*real)(int, off_t, off_t) = dlsym(RTLD_NEXT, "posix_fallocate");
  return fails(file, "full", "write") ? errno : real(file, at, size);
}

#define SYNCING(name)                                                   \
  int name(int file) {                                                  \
    int (*real)(int) = dlsym(RTLD_NEXT, #name);                         \
    return fails(file, "sync", "sync") ? -1 : real(file);               \
  }
SYNCING(fsync)
SYNCING(fdatasync)
