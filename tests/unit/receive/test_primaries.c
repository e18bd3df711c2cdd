#include "mxhold/receive/primaries.h"

#include "mxhold/smtp/ehlo.h"
#include "rig.h"

static struct rig rig;
static struct primaries *p;

static void begin(void)
{
	rig_init(&rig);
	rig_configure(&rig,
		      "domain \"b.test\" { primary = \"mx.b.test\" "
		      "recipients = \"learn\" }",
		      "");
	rig_open_store(&rig);
	p = primaries_new();
}

static void finish(void)
{
	primaries_free(p);
	rig_done(&rig);
}

static bool has(const char *text)
{
	struct inet_addr a;

	ck_assert_int_eq(inet_parse(slice_str(text), &a), 0);
	return primaries_has_address(p, &a);
}

/* What a probe would have written. */
static void met(size_t domain, uint32_t ext, int64_t last_up_ms)
{
	struct peer_record rec = {
		.ehlo_ext = ext,
		.last_up_ms = last_up_ms,
		.n_good = 1,
		.good = {{.family = 4, .bytes = {203, 0, 113, 7}, .port = 25}},
	};
	struct error err;

	ck_assert_int_eq(
		directory_peer_put(rig.directory,
				   rig.config->domains[domain].primary->name,
				   &rec, &err),
		0);
	primaries_refresh(p, rig.config, rig.directory);
}

START_TEST(primaries__knows_configured_and_learned_addresses)
{
	begin();
	ck_assert(!has("192.0.2.1"));
	primaries_refresh(p, rig.config, rig.directory);
	ck_assert(has("192.0.2.1"));
	ck_assert(!has("203.0.113.7"));
	met(1, 0, 1);
	ck_assert(has("203.0.113.7"));
	ck_assert(has("192.0.2.1"));
	ck_assert(!has("192.0.2.2"));
	finish();
}
END_TEST

START_TEST(primaries__forgets_who_left_the_configuration)
{
	begin();
	met(0, 0, 1); /* of b.test */
	ck_assert(has("203.0.113.7"));
	rig_configure(&rig, "", "");
	primaries_refresh(p, rig.config, rig.directory);
	ck_assert(!has("203.0.113.7"));
	finish();
}
END_TEST

static bool take(uint32_t ext)
{
	return !(primaries_lack(p)->ext & ext);
}

/* EXT-28, RX-12 */
START_TEST(primaries__offer_what_not_all_known_ones_lack)
{
	begin();
	primaries_refresh(p, rig.config, rig.directory);
	ck_assert(take(EXT_SMTPUTF8 | EXT_8BITMIME | EXT_DSN));
	met(0, 0, 1); /* met, but its EHLO was not heard */
	ck_assert(take(EXT_SMTPUTF8 | EXT_8BITMIME | EXT_DSN));
	met(0, EXT_HEARD | EXT_8BITMIME, 1);
	ck_assert(take(EXT_8BITMIME));
	ck_assert(!take(EXT_SMTPUTF8));
	ck_assert(!take(EXT_DSN));
	met(1, EXT_HEARD | EXT_8BITMIME | EXT_SMTPUTF8, 1);
	ck_assert(take(EXT_8BITMIME | EXT_SMTPUTF8));
	ck_assert(!take(EXT_DSN));
	finish();
}
END_TEST

/* EXT-23: what cannot be turned into anything else is for all or none. */
START_TEST(primaries__offer_binarymime_when_every_one_takes_it)
{
	uint32_t both = EXT_HEARD | EXT_CHUNKING | EXT_BINARYMIME;

	begin();
	primaries_refresh(p, rig.config, rig.directory);
	ck_assert(!take(EXT_BINARYMIME));
	met(0, both, 1); /* the other is not known yet */
	ck_assert(!take(EXT_BINARYMIME));
	met(1, EXT_HEARD | EXT_BINARYMIME, 1); /* without CHUNKING */
	ck_assert(!take(EXT_BINARYMIME));
	met(1, both, 1);
	ck_assert(take(EXT_BINARYMIME));
	finish();
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"primaries",
		TEST(primaries__knows_configured_and_learned_addresses),
		TEST(primaries__forgets_who_left_the_configuration),
		TEST(primaries__offer_what_not_all_known_ones_lack),
		TEST(primaries__offer_binarymime_when_every_one_takes_it));
}
