/*
 * A power cut for tests: remembers, in a folder beside, what a process has made durable below another folder.
 * Preloaded (LD_PRELOAD) with POWER_CUT_ROOT and POWER_CUT_DURABLE, both absolute.
 *
 * The strictest disk that POSIX allows: a file holds what it held when it was last synced itself, a folder the names
 * that it held when it was last synced itself; everything else is lost. Kept as
 *   content/INODE   the content of a file at its last fsync or fdatasync
 *   names/INODE     "INODE NAME\n" for each entry of a folder at its last fsync
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void keep(int from, const char *to) {
  char temporary[PATH_MAX + 32], buffer[65536];
  snprintf(temporary, sizeof temporary, "%s.%d.%ld", to, getpid(), random());
  int out = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  off_t at = 0;
  for (ssize_t n; (n = pread(from, buffer, sizeof buffer, at)) > 0; at += n)
    if (write(out, buffer, n) != n) abort();
  close(out);
  if (rename(temporary, to) != 0) abort();
}

static void keep_names(const char *folder, const char *to) {
  char temporary[PATH_MAX + 32];
  snprintf(temporary, sizeof temporary, "%s.%d.%ld", to, getpid(), random());
  FILE *out = fopen(temporary, "w");
  DIR *names = opendir(folder);
  if (out == NULL || names == NULL) abort();
  for (struct dirent *entry; (entry = readdir(names)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      fprintf(out, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
  closedir(names);
  fclose(out);
  if (rename(temporary, to) != 0) abort();
}

/* Before the real one: what it acknowledges was there at the latest then. */
static void note(int descriptor) {
  const char *root = getenv("POWER_CUT_ROOT"), *durable = getenv("POWER_CUT_DURABLE");
  if (root == NULL || durable == NULL) return;
  char link[64], path[PATH_MAX], to[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return;
  path[length] = '\0';
  if (strncmp(path, root, strlen(root)) != 0) return;
  struct stat about;
  if (fstat(descriptor, &about) != 0) return;
  int folder = S_ISDIR(about.st_mode);
  if (snprintf(to, sizeof to, "%s/%s/%lu", durable, folder ? "names" : "content", (unsigned long)about.st_ino) >=
      (int)sizeof to)
    abort();
  if (folder) return keep_names(path, to);
  int reading = open(link, O_RDONLY);
  if (reading < 0) return;
  keep(reading, to);
  close(reading);
}

int fsync(int descriptor) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  note(descriptor);
  return real(descriptor);
}

int fdatasync(int descriptor) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  note(descriptor);
  return real(descriptor);
}
