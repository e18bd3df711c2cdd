/*
 * Blocks behind the end of data.mdb that are ours already. A transaction
 * writes new pages before it frees old ones, so without them even a delivery
 * could not be taken down on a disk that others have filled, and would be
 * repeated after a restart. File systems that cannot do this do without.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "mxhold/base/clock.h"
#include "mxhold/storage/tables.h"

enum {
	SLACK = 4 << 20,
	SLACK_LOW = SLACK / 2,
	BLOCK = 512 /* of st_blocks, whatever the file system's are */
};

void slack_keep(struct store *s)
{
	int64_t now_ms = clock_mono_ms();
	struct stat st;
	int fd;

	if (s->read_only || now_ms < s->slack_at_ms)
		return;
	s->slack_at_ms = now_ms + 1000;
	if (mdb_env_get_fd(s->env, &fd) || fstat(fd, &st) ||
	    (uint64_t)st.st_blocks * BLOCK >= (uint64_t)st.st_size + SLACK_LOW)
		return;
	(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, SLACK);
}
