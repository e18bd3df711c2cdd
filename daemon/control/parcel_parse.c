#include <stdio.h>
#include <string.h>

#include "mxhold/base/text.h"
#include "mxhold/control/parcel_parts.h"
#include "mxhold/mail/address.h"
#include "mxhold/mail/domain.h"
#include "mxhold/storage/record.h"

struct parsing {
	struct arena *arena;
	struct error *err;
};

static int wrong(struct parsing *p, const char *key)
{
	return error_set(p->err, "\"%s\" is missing or is not what it must be",
			 key);
}

static int get_hex(struct parsing *p, const char *hex, struct slice *out)
{
	size_t n = strlen(hex) / 2;
	uint8_t *bytes = arena_alloc(p->arena, n + 1);

	if (!bytes || text_unhex(slice_str(hex), bytes, n) < 0)
		return -1;
	*out = slice_make(bytes, n);
	return 0;
}

static int get_octets(struct parsing *p, const json_t *v, struct slice *out)
{
	const char *hex = json_string_value(json_object_get(v, "hex"));

	if (hex)
		return get_hex(p, hex, out);
	if (!json_is_string(v))
		return -1;
	*out = arena_dup(p->arena, slice_make(json_string_value(v),
					      json_string_length(v)));
	return out->p ? 0 : -1;
}

static bool is_address(struct slice s)
{
	struct address a;

	return s.n == 0 || address_parse(s, true, &a) == ADDRESS_OK;
}

static bool is_kind(struct slice s, enum parcel_kind kind)
{
	if (s.n > RECORD_TEXT_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (kind != PARCEL_ANY && (c == '\r' || c == '\n' || !c))
			return false;
		if (kind == PARCEL_WORD && (c <= ' ' || c == 0x7f))
			return false;
	}
	return kind != PARCEL_ADDRESS || is_address(s);
}

static int get_texts(struct parsing *p, const json_t *from, void *to,
		     const struct parcel_text *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_object_get(from, fields[i].key);
		struct slice s;

		if (get_octets(p, v, &s) < 0 || !is_kind(s, fields[i].kind))
			return wrong(p, fields[i].key);
		memcpy((char *)to + fields[i].at, &s, sizeof(s));
	}
	return 0;
}

static int get_bool(struct parsing *p, const json_t *from, const char *key,
		    bool *out)
{
	const json_t *v = json_object_get(from, key);

	if (!json_is_boolean(v))
		return wrong(p, key);
	*out = json_is_true(v);
	return 0;
}

static int get_number(struct parsing *p, const json_t *from, const char *key,
		      uint64_t max, uint64_t *out)
{
	const json_t *v = json_object_get(from, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max)
		return wrong(p, key);
	*out = (uint64_t)json_integer_value(v);
	return 0;
}

static int get_time(struct parsing *p, const json_t *from, const char *key,
		    int64_t *out)
{
	const char *text = json_string_value(json_object_get(from, key));

	*out = 0;
	if (!text || (*text && text_parse_rfc3339(slice_str(text), out) < 0))
		return wrong(p, key);
	return 0;
}

/* Its place among names. */
static int get_name(struct parsing *p, const json_t *from, const char *key,
		    const char *const *names, size_t n)
{
	const char *text = json_string_value(json_object_get(from, key));

	for (size_t i = 0; text && i < n; i++)
		if (strcmp(text, names[i]) == 0)
			return (int)i;
	return wrong(p, key);
}

/* Recipients */

static int get_notify(struct parsing *p, const json_t *from, uint8_t *out)
{
	const json_t *words = json_object_get(from, "notify");
	json_t *word;
	size_t k;

	*out = 0;
	if (!json_is_array(words))
		return wrong(p, "notify");
	json_array_foreach(words, k, word)
	{
		const char *text = json_string_value(word);
		uint8_t bit = 0;

		for (size_t i = 0; text && i < MX_ARRAY_SIZE(parcel_notifies);
		     i++)
			if (strcmp(text, parcel_notifies[i].key) == 0)
				bit = parcel_notifies[i].bit;
		if (!bit)
			return wrong(p, "notify");
		*out |= bit;
	}
	return 0;
}

static int get_rcpt_state(struct parsing *p, const json_t *from,
			  struct queue_rcpt *out)
{
	const char *names[] = {rcpt_state_name(RCPT_PENDING),
			       rcpt_state_name(RCPT_DELIVERED),
			       rcpt_state_name(RCPT_FAILED)};
	int state = get_name(p, from, "state", names, MX_ARRAY_SIZE(names));

	if (state < 0 || get_bool(p, from, "kept", &out->kept) < 0)
		return -1;
	out->state = (enum rcpt_state)state;
	return out->kept && out->state != RCPT_FAILED ? wrong(p, "kept") : 0;
}

static int check_destination(struct parsing *p, const struct recipient *r)
{
	char text[DOMAIN_MAX], canonical[DOMAIN_MAX];

	if (r->address.n == 0)
		return wrong(p, "address");
	snprintf(text, sizeof(text), "%.*s", (int)r->domain.n, r->domain.p);
	if (r->domain.n == 0 || r->domain.n >= sizeof(text) ||
	    domain_canonical(r->domain, canonical) < 0 ||
	    strcmp(text, canonical) != 0)
		return wrong(p, "destination");
	return 0;
}

static int get_rcpt(struct parsing *p, const json_t *from,
		    struct queue_rcpt *out)
{
	uint64_t attempts = 0;

	if (get_texts(p, from, out, parcel_rcpt_texts,
		      MX_ARRAY_SIZE(parcel_rcpt_texts)) ||
	    check_destination(p, &out->rcpt) ||
	    get_notify(p, from, &out->rcpt.notify) ||
	    get_rcpt_state(p, from, out) ||
	    get_number(p, from, "attempts", UINT32_MAX, &attempts) ||
	    get_time(p, from, "last_attempt_at", &out->last_attempt_ms) ||
	    get_time(p, from, "first_5xx_at", &out->first_5xx_ms))
		return -1;
	out->attempts = (uint32_t)attempts;
	return 0;
}

static int get_rcpts(struct parsing *p, const json_t *from, struct parcel *out)
{
	const json_t *list = json_object_get(from, "recipients");
	size_t n = json_array_size(list), open = 0;
	struct queue_rcpt *rcpts;

	if (n == 0 || n > QUEUE_RCPT_MAX)
		return wrong(p, "recipients");
	rcpts = arena_alloc(p->arena, n * sizeof(*rcpts));
	out->env.rcpts = arena_alloc(p->arena, n * sizeof(*out->env.rcpts));
	if (!rcpts || !out->env.rcpts)
		return error_set(p->err, "too many recipients");
	for (size_t i = 0; i < n; i++) {
		if (get_rcpt(p, json_array_get(list, i), &rcpts[i]) < 0)
			return error_prefix(p->err, "recipient %zu", i + 1);
		out->env.rcpts[i] = rcpts[i].rcpt;
		open += rcpts[i].state == RCPT_PENDING || rcpts[i].kept;
	}
	out->env.n_rcpts = n;
	out->past.rcpts = rcpts;
	return open ? 0 : error_set(p->err, "every recipient has been settled");
}

/* The rest */

static int get_flags(struct parsing *p, const json_t *from,
		     struct envelope *env)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(parcel_flags); i++)
		if (get_bool(p, from, parcel_flags[i].key,
			     (bool *)((char *)env + parcel_flags[i].at)) < 0)
			return -1;
	return 0;
}

static int get_client(struct parsing *p, const json_t *from,
		      struct endpoint *out)
{
	const char *text = json_string_value(json_object_get(from, "client"));
	uint64_t port = 0;

	if (!text || (*text && inet_parse(slice_str(text), &out->addr) < 0))
		return wrong(p, "client");
	if (get_number(p, from, "client_port", UINT16_MAX, &port) < 0)
		return -1;
	out->port = (uint16_t)port;
	return 0;
}

static int get_state(struct parsing *p, const json_t *from, struct parcel *out)
{
	const char *names[] = {queue_state_name(QUEUE_READY),
			       queue_state_name(QUEUE_RETRY),
			       queue_state_name(QUEUE_HELD),
			       queue_state_name(QUEUE_QUARANTINE)};
	int state = get_name(p, from, "state", names, MX_ARRAY_SIZE(names));

	out->held = state == QUEUE_HELD;
	out->quarantined = state == QUEUE_QUARANTINE;
	return state < 0 ? -1 : 0;
}

static int get_past(struct parsing *p, const json_t *from,
		    struct queue_past *out)
{
	const char *id = json_string_value(json_object_get(from, "id"));
	const char *crc = json_string_value(json_object_get(from, "crc32c"));
	uint64_t attempts = 0;
	uint8_t sum[4];

	if (!id || id_parse(slice_str(id), &out->id) < 0)
		return wrong(p, "id");
	if (!crc || text_unhex(slice_str(crc), sum, sizeof(sum)) < 0)
		return wrong(p, "crc32c");
	out->crc = (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 |
		   (uint32_t)sum[2] << 8 | sum[3];
	if (get_number(p, from, "size", INT64_MAX, &out->size) ||
	    get_number(p, from, "attempts", UINT32_MAX, &attempts) ||
	    get_bool(p, from, "maybe_duplicate", &out->maybe_duplicate))
		return -1;
	out->attempts = (uint32_t)attempts;
	return 0;
}

static int get_kinds(struct parsing *p, const json_t *from,
		     struct envelope *env)
{
	int ret = get_name(p, from, "ret", parcel_rets,
			   MX_ARRAY_SIZE(parcel_rets));
	int body = ret < 0 ? -1
			   : get_name(p, from, "body", parcel_bodies,
				      MX_ARRAY_SIZE(parcel_bodies));

	if (body < 0)
		return -1;
	env->ret = (enum dsn_ret)ret;
	env->body = (enum body_type)body;
	return 0;
}

static int check_version(struct parsing *p, const json_t *json)
{
	const json_t *v = json_object_get(json, "v");

	if (!json_is_integer(v))
		return error_set(p->err, "this is no exported message");
	if (json_integer_value(v) != 1)
		return error_set(p->err,
				 "it was exported by a newer version of this "
				 "program");
	return 0;
}

int parcel_parse(const json_t *json, struct arena *arena, struct parcel *out,
		 struct error *err)
{
	struct parsing p = {arena, err};

	*out = (struct parcel){0};
	if (check_version(&p, json) || get_past(&p, json, &out->past) ||
	    get_state(&p, json, out) ||
	    get_texts(&p, json, out, parcel_message_texts,
		      MX_ARRAY_SIZE(parcel_message_texts)) ||
	    get_texts(&p, json, &out->env, parcel_env_texts,
		      MX_ARRAY_SIZE(parcel_env_texts)) ||
	    get_client(&p, json, &out->env.client) ||
	    get_kinds(&p, json, &out->env) || get_flags(&p, json, &out->env) ||
	    get_time(&p, json, "arrived_at", &out->env.arrived_at_ms))
		return -1;
	if (out->env.arrived_at_ms == 0)
		return wrong(&p, "arrived_at");
	return get_rcpts(&p, json, out);
}
