#include "mxhold/receive/recipients_load.h"

#include <stdio.h>
#include <sys/stat.h>

#include "mxhold/base/buf.h"
#include "mxhold/base/clock.h"
#include "mxhold/base/siphash.h"
#include "mxhold/receive/recipients.h"
#include "mxhold/receive/recipients_file.h"

struct loading {
	struct directory_load *load;
	struct buf salt;
	bool has_salt;
};

static int on_entry(void *data, struct slice entry)
{
	struct loading *l = data;

	return directory_load_add(l->load, entry);
}

/* One salt for the whole list: the hashes could not be looked up else. */
static int on_salt(void *data, struct slice salt)
{
	struct loading *l = data;

	if (l->has_salt)
		return slice_eq(buf_slice(&l->salt), salt) ? 0 : -1;
	l->has_salt = true;
	if (buf_append_slice(&l->salt, salt))
		return -1;
	return directory_load_salt(l->load, salt);
}

static bool is_file(const char *source)
{
	return strncmp(source, "https://", 8) != 0 &&
	       strncmp(source, "http://", 7) != 0 &&
	       strncmp(source, "exec:", 5) != 0;
}

static int read_sources(const struct config_domain *domain,
			struct recipients_sink *sink, struct error *err)
{
	for (size_t i = 0; i < domain->recipients.n; i++) {
		const char *source = domain->recipients.v[i];

		/* A list without it would refuse those it names. */
		if (!is_file(source))
			return error_set(err, "%s: not supported yet", source);
		if (recipients_file_read(source, domain->name, sink, err))
			return -1;
	}
	return 0;
}

static int check_size(const struct config_domain *domain,
		      const struct recipients_loaded *n, struct error *err)
{
	uint64_t least = n->before - n->before / 100 * domain->max_shrink -
			 n->before % 100 * domain->max_shrink / 100;

	if (n->entries == 0 && n->foreign > 0)
		return error_set(err, "holds addresses of other domains only");
	if (n->entries == 0)
		return error_set(err, "holds no address");
	if (domain->max_shrink < 100 && n->entries < least)
		return error_set(err,
				 "would shrink from %llu to %llu entries, "
				 "max_shrink allows %u %%: not taken over",
				 (unsigned long long)n->before,
				 (unsigned long long)n->entries,
				 domain->max_shrink);
	return 0;
}

int recipients_load_counted(struct directory *d,
			    const struct config_domain *domain,
			    struct recipients_loaded *out, struct error *err)
{
	struct loading l = {.load = directory_load_begin(d, domain->name)};
	struct recipients_sink sink = {
		.on_entry = on_entry,
		.on_salt = on_salt,
		.data = &l,
	};
	int ret;

	*out = (struct recipients_loaded){
		.before = directory_count(d, domain->name)};
	if (!l.load)
		return error_set(err, "the directory cannot be written");
	buf_init(&l.salt, RECIPIENTS_LINE_MAX);
	ret = read_sources(domain, &sink, err);
	out->entries = sink.entries;
	out->foreign = sink.foreign;
	if (ret == 0)
		ret = check_size(domain, out, err);
	if (ret == 0)
		ret = directory_load_finish(l.load, clock_wall_ms(), err);
	else
		directory_load_abort(l.load);
	buf_done(&l.salt);
	return ret;
}

int recipients_load(struct directory *d, const struct config_domain *domain,
		    struct error *err)
{
	struct recipients_loaded n;

	if (domain->recipients.n == 0)
		return 0;
	return recipients_load_counted(d, domain, &n, err);
}

uint64_t recipients_fingerprint(const struct config_domain *domain)
{
	static const uint64_t key[2] = {0x6d78686f6c64, 0x7263707473};
	uint64_t sum = 0;

	for (size_t i = 0; i < domain->recipients.n; i++) {
		const char *file = domain->recipients.v[i];
		struct stat st = {0};
		char text[512];
		int n;

		if (stat(file, &st))
			st.st_size = -1;
		n = snprintf(text, sizeof(text), "%zu %ju %ju %jd %jd.%ld", i,
			     (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
			     (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec,
			     st.st_mtim.tv_nsec);
		sum += siphash(key, slice_make(text, (size_t)n));
		sum += siphash(key, slice_str(file));
	}
	return sum;
}
