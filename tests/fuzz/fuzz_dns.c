/*
 * Answers of name servers, as libunbound hands them over, and the TLSA
 * records among them: names have no octet that could confuse what comes
 * after, arrays are never passed, no answer is good without a record, the
 * order of the records changes nothing.
 *
 * Input: an octet each for type and flags, then records: an octet of length
 * (255: the next one times 16), and the data.
 */
#include <unbound.h>

#include "dns_answer.h"
#include "fuzz.h"
#include "mxhold/outbound/dane.h"

enum {
	MANY = 200
};

static const enum dns_type types[] = {DNS_A,   DNS_AAAA, DNS_MX,
				      DNS_PTR, DNS_TXT,  DNS_TLSA};

struct result {
	struct ub_result r;
	char *data[MANY + 1];
	int len[MANY + 1];
	size_t n;
};

/* Each record in memory of just its size. */
static void make_result(struct slice in, struct result *out)
{
	while (in.n && out->n < MANY) {
		size_t n = fuzz_u8(&in);

		n = n == 255 ? 16 * (size_t)fuzz_u8(&in) : n;
		n = MX_MIN(n, in.n);
		out->data[out->n] = malloc(n ? n : 1);
		FUZZ_CHECK(out->data[out->n] != NULL);
		if (n)
			memcpy(out->data[out->n], in.p, n);
		out->len[out->n++] = (int)n;
		in = slice_skip(in, n);
	}
	out->r.data = out->data;
	out->r.len = out->len;
	out->r.havedata = out->n > 0;
}

static void turn_round(struct result *r)
{
	for (size_t i = 0, j = r->n; i + 1 < j; i++) {
		char *p = r->data[i];
		int len = r->len[i];

		j--;
		r->data[i] = r->data[j];
		r->len[i] = r->len[j];
		r->data[j] = p;
		r->len[j] = len;
	}
}

static void check_name(const char name[256])
{
	size_t n = strnlen(name, 256), label = 0;

	FUZZ_CHECK(n < 256);
	for (size_t i = 0; i < n; i++) {
		FUZZ_CHECK(name[i] > ' ' && name[i] < 127);
		FUZZ_CHECK(name[i] < 'A' || name[i] > 'Z');
		FUZZ_CHECK(name[i] != '.' || label > 0);
		label = name[i] == '.' ? 0 : label + 1;
		FUZZ_CHECK(label <= 63);
	}
	FUZZ_CHECK(n == 0 || label > 0);
}

static void check_tlsa(const struct dns_record *r)
{
	const struct tlsa *t = &r->tlsa;

	/* None at all: it was longer than any digest. */
	FUZZ_CHECK(t->matching != 0 && t->n <= sizeof(t->data));
	if (tlsa_is_usable(t))
		FUZZ_CHECK(t->n == (t->matching == 2 ? 64 : 32));
	for (size_t i = 0; i < sizeof(r->text); i++)
		FUZZ_CHECK(r->text[i] == 0);
}

static void check_record(enum dns_type type, const struct dns_record *r)
{
	switch (type) {
	case DNS_A:
		FUZZ_CHECK(r->addr.family == 4);
		break;
	case DNS_AAAA: /* ::ffff:192.0.2.1 is read as what it stands for */
		FUZZ_CHECK(r->addr.family == 6 || r->addr.family == 4);
		break;
	case DNS_CNAME:
	case DNS_MX:
	case DNS_PTR:
		check_name(r->name);
		break;
	case DNS_TXT:
		FUZZ_CHECK(strnlen(r->text, sizeof(r->text)) < sizeof(r->text));
		break;
	case DNS_TLSA:
		check_tlsa(r);
		break;
	}
}

/* The same for any order of the records. */
static uint64_t sum(enum dns_type type, const struct dns_answer *a)
{
	uint64_t all = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct dns_record *r = &a->records[i];
		uint32_t name = fuzz_hash(slice_str(r->name));

		/* Of too many equally good ones any may stay. */
		if (type == DNS_MX)
			all += (uint64_t)r->preference << 20;
		if (a->n < DNS_RECORDS_MAX)
			all += name + (uint64_t)fuzz_hash(slice_make(
					      &r->tlsa, sizeof(r->tlsa)));
	}
	return all;
}

static void check_answer(enum dns_type type, const struct dns_answer *a)
{
	FUZZ_CHECK(a->n <= DNS_RECORDS_MAX);
	FUZZ_CHECK((a->status == DNS_OK) == (a->n > 0));
	FUZZ_CHECK(strcmp(a->canonical, "asked.example") == 0);
	FUZZ_CHECK(a->status != DNS_BOGUS || !a->secure);
	for (size_t i = 0; i < a->n; i++)
		check_record(type, &a->records[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns_answer first, second;
	struct slice in = slice_make(data, size);
	enum dns_type type = types[fuzz_u8(&in) % MX_ARRAY_SIZE(types)];
	unsigned bits = fuzz_u8(&in);
	struct result r = {.r = {.secure = bits & 1,
				 .bogus = bits >> 1 & 1,
				 .nxdomain = bits >> 2 & 1,
				 .rcode = (int)(bits >> 3 & 7)}};

	make_result(in, &r);
	dns_answer_read(&first, "Asked.Example.", type, 0, &r.r);
	check_answer(type, &first);
	turn_round(&r);
	dns_answer_read(&second, "asked.example", type, 0, &r.r);
	check_answer(type, &second);
	FUZZ_CHECK(first.status == second.status && first.n == second.n);
	FUZZ_CHECK(first.secure == second.secure);
	FUZZ_CHECK(sum(type, &first) == sum(type, &second));
	for (size_t i = 0; i < r.n; i++)
		free(r.data[i]);
	return 0;
}
