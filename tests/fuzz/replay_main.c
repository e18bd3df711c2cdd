/*
 * Without libFuzzer: runs the target over files, or over every file of
 * directories, so that what was found once is tested by every compiler.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

/* In memory of just that size, so that ASan sees what is read beyond it. */
static void replay_octets(struct slice s)
{
	uint8_t *copy = malloc(s.n ? s.n : 1);

	if (!copy)
		abort();
	if (s.n)
		memcpy(copy, s.p, s.n);
	LLVMFuzzerTestOneInput(copy, s.n);
	free(copy);
}

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct buf b;
	char chunk[4096];
	size_t n;

	if (!f) {
		perror(path);
		return -1;
	}
	buf_init(&b, FUZZ_TEXT_MAX);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_append(&b, chunk, n);
	fclose(f);
	fprintf(stderr, "%s\n", path);
	replay_octets(buf_slice(&b));
	buf_done(&b);
	return 0;
}

static int replay_directory(const char *path, unsigned *files)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char file[4096];
	int ret = dir ? 0 : -1;

	while (ret == 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		ret = replay_file(file);
		++*files;
	}
	if (dir)
		closedir(dir);
	return ret;
}

int main(int argc, char **argv)
{
	unsigned files = 0;
	struct stat st;

	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
			if (replay_directory(argv[i], &files))
				return 1;
		} else if (replay_file(argv[i])) {
			return 1;
		} else {
			files++;
		}
	}
	fprintf(stderr, "%u inputs\n", files);
	return files ? 0 : 1;
}
