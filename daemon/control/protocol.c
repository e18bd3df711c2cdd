#include "mxhold/control/protocol.h"

#include <string.h>

#include "mxhold/base/text.h"

enum {
	FLAGS = JSON_COMPACT | JSON_ENSURE_ASCII
};

static int on_bytes(const char *p, size_t n, void *data)
{
	return buf_append(data, p, n);
}

/* One line, or nothing at all. */
static int append_line(struct buf *out, json_t *owned)
{
	size_t before = out->n;
	int rc = owned ? json_dump_callback(owned, on_bytes, out, FLAGS) : -1;

	json_decref(owned);
	if (rc == 0)
		rc = buf_append(out, "\n", 1);
	if (rc < 0)
		buf_truncate(out, before);
	return rc;
}

int protocol_append_request(struct buf *out, const char *command, json_t *args)
{
	return append_line(out, json_pack("{s:i,s:s,s:O}", "v", 1, "command",
					  command, "args", args));
}

int protocol_append_row(struct buf *out, json_t *row)
{
	return append_line(out, json_pack("{s:O}", "row", row));
}

int protocol_append_result(struct buf *out, json_t *result)
{
	return append_line(out, json_pack("{s:O}", "result", result));
}

int protocol_append_raw(struct buf *out, struct slice bytes)
{
	size_t before = out->n;
	char hex[2 * 1024 + 1];
	int rc = buf_append_str(out, "{\"raw\":\"");

	while (bytes.n && rc == 0) {
		struct slice piece = slice_head(bytes, 1024);

		text_hex((const uint8_t *)piece.p, piece.n, hex);
		rc = buf_append(out, hex, 2 * piece.n);
		bytes = slice_skip(bytes, piece.n);
	}
	if (rc == 0)
		rc = buf_append_str(out, "\"}\n");
	if (rc < 0)
		buf_truncate(out, before);
	return rc;
}

int protocol_append_end(struct buf *out, enum exit_code exit, const char *error)
{
	json_t *text = protocol_text(slice_str(error ? error : ""));

	return append_line(out, json_pack("{s:{s:i,s:o}}", "end", "exit",
					  (int)exit, "error", text));
}

static json_t *parse(struct slice line, struct error *err)
{
	json_error_t why;
	json_t *root = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &why);

	if (!root)
		error_set(err, "not a line of the control protocol: %s",
			  why.text);
	return root;
}

int protocol_parse_request(struct slice line, struct protocol_request *out,
			   struct error *err)
{
	int v = 0;

	*out = (struct protocol_request){.root = parse(line, err)};
	if (!out->root)
		return -1;
	if (json_unpack(out->root, "{s:i,s:s,s:o}", "v", &v, "command",
			&out->command, "args", &out->args) == 0 &&
	    v == 1 && json_is_object(out->args))
		return 0;
	protocol_request_done(out);
	return error_set(err, "not a request of version 1");
}

void protocol_request_done(struct protocol_request *r)
{
	json_decref(r->root);
	*r = (struct protocol_request){0};
}

static bool take_end(struct protocol_response *r, json_t *end)
{
	int code;

	r->kind = PROTOCOL_END;
	if (json_unpack(end, "{s:i,s:s}", "exit", &code, "error", &r->error) <
	    0)
		return false;
	r->exit = (enum exit_code)code;
	return code >= EXIT_DONE && code <= EXIT_BAD_CONFIG;
}

static bool take_response(struct protocol_response *r)
{
	json_t *raw = json_object_get(r->root, "raw");

	r->kind = PROTOCOL_ROW;
	r->value = json_object_get(r->root, "row");
	if (r->value)
		return json_is_object(r->value);
	r->kind = PROTOCOL_RESULT;
	r->value = json_object_get(r->root, "result");
	if (r->value)
		return json_is_object(r->value);
	if (!raw)
		return take_end(r, json_object_get(r->root, "end"));
	r->kind = PROTOCOL_RAW;
	if (!json_is_string(raw))
		return false;
	r->hex = slice_make(json_string_value(raw), json_string_length(raw));
	return true;
}

int protocol_parse_response(struct slice line, struct protocol_response *out,
			    struct error *err)
{
	*out = (struct protocol_response){.root = parse(line, err)};
	if (!out->root)
		return -1;
	if (take_response(out))
		return 0;
	protocol_response_done(out);
	return error_set(err, "the daemon's answer is of an unknown kind");
}

void protocol_response_done(struct protocol_response *r)
{
	json_decref(r->root);
	*r = (struct protocol_response){0};
}

json_t *protocol_text(struct slice s)
{
	struct buf safe;
	json_t *out;

	if (text_is_utf8(s))
		return json_stringn(s.n ? s.p : "", s.n);
	buf_init(&safe, 4 * s.n + 1);
	text_append_safe(&safe, s, s.n);
	out = json_stringn(buf_slice(&safe).p, safe.n);
	buf_done(&safe);
	return out;
}

json_t *protocol_time(int64_t wall_ms)
{
	char text[TEXT_TIME_MAX] = "";

	if (wall_ms)
		text_format_rfc3339(wall_ms, text);
	return json_string(text);
}
