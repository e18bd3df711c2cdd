#include "mxhold/storage/tables.h"

#include <string.h>

#include "mxhold/storage/codec.h"

static const char *const names[TABLE_COUNT] = {
	[TABLE_META] = "meta",         [TABLE_DEST] = "dest",
	[TABLE_INCOMING] = "incoming", [TABLE_SWEEP] = "sweep",
	[TABLE_MESSAGE] = "message",   [TABLE_RECIPIENT] = "recipient",
	[TABLE_BODY] = "body",         [TABLE_DUE] = "due",
	[TABLE_AGE] = "age",           [TABLE_EXPIRE] = "expire",
	[TABLE_HISTORY] = "history",
};

const char *table_name(enum table t)
{
	return names[t];
}

int tables_open(struct store *s, MDB_txn *txn)
{
	unsigned flags = s->read_only ? 0 : MDB_CREATE;
	int rc = 0;

	for (int t = 0; t < TABLE_COUNT && !rc; t++)
		rc = mdb_dbi_open(txn, names[t], flags, &s->dbi[t]);
	return rc;
}

uint64_t tables_used(struct store *s, MDB_txn *txn)
{
	uint64_t pages = 0;
	MDB_stat st;

	for (int t = 0; t < TABLE_COUNT; t++) {
		if (mdb_stat(txn, s->dbi[t], &st) == 0)
			pages += st.ms_branch_pages + st.ms_leaf_pages +
				 st.ms_overflow_pages;
	}
	return pages * ENV_PAGE;
}

size_t key_dest_name(uint8_t k[KEY_DEST_MAX], int kind, struct slice domain)
{
	k[0] = 'n';
	k[1] = (uint8_t)kind;
	domain = slice_head(domain, 255);
	if (domain.n)
		memcpy(k + 2, domain.p, domain.n);
	return 2 + domain.n;
}

size_t key_dest_number(uint8_t k[KEY_DEST_MAX], uint32_t dest)
{
	k[0] = 'd';
	be32_put(k + 1, dest);
	return 5;
}

size_t key_meta(uint8_t k[16])
{
	static const uint8_t state[] = {'s', 't', 'a', 't', 'e'};

	memcpy(k, state, sizeof(state));
	return sizeof(state);
}
