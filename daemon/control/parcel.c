#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"
#include "mxhold/control/parcel_parts.h"
#include "mxhold/control/protocol.h"

const char *const parcel_bodies[PARCEL_BODIES] = {
	[BODY_UNSAID] = "",
	[BODY_7BIT] = "7BIT",
	[BODY_8BITMIME] = "8BITMIME",
	[BODY_BINARYMIME] = "BINARYMIME",
};

const char *const parcel_rets[PARCEL_RETS] = {[DSN_RET_UNSAID] = "",
					      [DSN_RET_FULL] = "FULL",
					      [DSN_RET_HDRS] = "HDRS"};

const struct parcel_notify parcel_notifies[PARCEL_NOTIFIES] = {
	{"NEVER", DSN_NOTIFY_NEVER},
	{"SUCCESS", DSN_NOTIFY_SUCCESS},
	{"FAILURE", DSN_NOTIFY_FAILURE},
	{"DELAY", DSN_NOTIFY_DELAY},
};

const struct parcel_text parcel_env_texts[PARCEL_ENV_TEXTS] = {
	{"sender", offsetof(struct envelope, sender), PARCEL_ADDRESS},
	{"envid", offsetof(struct envelope, envid), PARCEL_WORD},
	{"client_name", offsetof(struct envelope, client_name), PARCEL_WORD},
	{"helo", offsetof(struct envelope, helo), PARCEL_LINE},
	{"protocol", offsetof(struct envelope, protocol), PARCEL_WORD},
	{"tls", offsetof(struct envelope, tls), PARCEL_LINE},
};

const struct parcel_text parcel_rcpt_texts[PARCEL_RCPT_TEXTS] = {
	{"address", offsetof(struct queue_rcpt, rcpt.address), PARCEL_ADDRESS},
	{"destination", offsetof(struct queue_rcpt, rcpt.domain), PARCEL_WORD},
	{"orcpt", offsetof(struct queue_rcpt, rcpt.orcpt), PARCEL_WORD},
	{"reply", offsetof(struct queue_rcpt, reply), PARCEL_ANY},
	{"remote", offsetof(struct queue_rcpt, remote), PARCEL_ANY},
};

const struct parcel_text parcel_message_texts[PARCEL_MESSAGE_TEXTS] = {
	{"message_id", offsetof(struct parcel, message_id), PARCEL_LINE},
	{"reason", offsetof(struct parcel, reason), PARCEL_ANY},
};

const struct parcel_flag parcel_flags[PARCEL_FLAGS] = {
	{"smtputf8", offsetof(struct envelope, smtputf8)},
	{"requiretls", offsetof(struct envelope, requiretls)},
	{"eight_bit", offsetof(struct envelope, eight_bit)},
	{"utf8_header", offsetof(struct envelope, utf8_header)},
	{"tls_optional", offsetof(struct envelope, tls_optional)},
	{"report", offsetof(struct envelope, is_report)},
};

static void set(json_t *to, const char *key, json_t *value)
{
	MX_ASSERT(value); /* only memory can be short */
	json_object_set_new(to, key, value);
}

static json_t *text_of(struct slice s)
{
	json_t *out;
	char *hex;

	if (text_is_utf8(s) && slice_index(s, '\0') < 0)
		return json_stringn(s.n ? s.p : "", s.n);
	hex = mem_array(2 * s.n + 1, 1);
	text_hex((const uint8_t *)s.p, s.n, hex);
	out = json_pack("{s:s}", "hex", hex);
	mem_free(hex);
	return out;
}

static void put_texts(json_t *to, const void *from,
		      const struct parcel_text *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct slice s;

		memcpy(&s, (const char *)from + fields[i].at, sizeof(s));
		set(to, fields[i].key, text_of(s));
	}
}

static void put_flags(json_t *to, const struct envelope *env)
{
	for (size_t i = 0; i < MX_ARRAY_SIZE(parcel_flags); i++)
		set(to, parcel_flags[i].key,
		    json_boolean(*(const bool *)((const char *)env +
						 parcel_flags[i].at)));
}

static json_t *notify_of(uint8_t notify)
{
	json_t *out = json_array();

	for (size_t i = 0; i < MX_ARRAY_SIZE(parcel_notifies); i++)
		if (notify & parcel_notifies[i].bit)
			json_array_append_new(
				out, json_string(parcel_notifies[i].key));
	return out;
}

static json_t *rcpt_of(const struct queue_rcpt *r)
{
	json_t *out = json_object();

	put_texts(out, r, parcel_rcpt_texts, MX_ARRAY_SIZE(parcel_rcpt_texts));
	set(out, "notify", notify_of(r->rcpt.notify));
	set(out, "state", json_string(rcpt_state_name(r->state)));
	set(out, "kept", json_boolean(r->kept));
	set(out, "attempts", json_integer(r->attempts));
	set(out, "last_attempt_at", protocol_time(r->last_attempt_ms));
	set(out, "first_5xx_at", protocol_time(r->first_5xx_ms));
	return out;
}

static void put_client(json_t *to, const struct endpoint *client)
{
	char text[INET_TEXT_MAX] = "";

	if (client->addr.family)
		inet_format(&client->addr, text);
	set(to, "client", json_string(text));
	set(to, "client_port", json_integer(client->port));
}

static void put_past(json_t *to, const struct queue_message *m)
{
	char id[ID_TEXT_LEN + 1], crc[9];

	id_format(m->id, id);
	snprintf(crc, sizeof(crc), "%08x", m->crc);
	set(to, "id", json_string(id));
	set(to, "state", json_string(queue_state_name(m->state)));
	set(to, "size", json_integer((json_int_t)m->size));
	set(to, "crc32c", json_string(crc));
	set(to, "attempts", json_integer(m->attempts));
	set(to, "maybe_duplicate", json_boolean(m->maybe_duplicate));
	set(to, "arrived_at", protocol_time(m->env.arrived_at_ms));
}

json_t *parcel_format(const struct queue_message *m)
{
	const struct parcel texts = {.message_id = m->message_id,
				     .reason = m->reason};
	json_t *out = json_object(), *rcpts = json_array();

	set(out, "v", json_integer(1));
	put_past(out, m);
	put_texts(out, &texts, parcel_message_texts,
		  MX_ARRAY_SIZE(parcel_message_texts));
	put_texts(out, &m->env, parcel_env_texts,
		  MX_ARRAY_SIZE(parcel_env_texts));
	put_client(out, &m->env.client);
	set(out, "ret", json_string(parcel_rets[m->env.ret]));
	set(out, "body", json_string(parcel_bodies[m->env.body]));
	put_flags(out, &m->env);
	for (size_t i = 0; i < m->n_rcpts; i++)
		json_array_append_new(rcpts, rcpt_of(&m->rcpts[i]));
	set(out, "recipients", rcpts);
	return out;
}
