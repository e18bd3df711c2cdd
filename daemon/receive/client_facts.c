#include "mxhold/receive/client_facts.h"

#include <stdio.h>
#include <string.h>

#include "mxhold/base/assert.h"
#include "mxhold/base/mem.h"

void client_facts_copy(struct client_facts *to, const struct client_facts *from)
{
	*to = *from;
	to->name = from->name ? mem_strdup(from->name) : NULL;
	to->listed = from->listed ? mem_strdup(from->listed) : NULL;
}

void client_facts_done(struct client_facts *f)
{
	mem_free(f->name);
	mem_free(f->listed);
	*f = (struct client_facts){0};
}

bool client_facts_is_listed(const struct client_facts *f, const char *zone)
{
	size_t n = strlen(zone);

	for (const char *at = f->listed; at && (at = strchr(at, ' ')); at++)
		if (strncasecmp(at + 1, zone, n) == 0 && at[1 + n] == ' ')
			return true;
	return false;
}

void client_facts_add_list(struct client_facts *f, const char *zone)
{
	const char *had = f->listed ? f->listed : " ";
	size_t room = strlen(had) + strlen(zone) + 2;
	char *listed = mem_array(room, 1);

	snprintf(listed, room, "%s%s ", had, zone);
	mem_free(f->listed);
	f->listed = listed;
}

int client_score(const struct client_facts *f,
		 const struct config_policy *policy)
{
	int64_t sum = 0;

	for (size_t i = 0; f->is_judged && i < policy->n_dnsbl; i++)
		if (client_facts_is_listed(f, policy->dnsbl[i].zone))
			sum += policy->dnsbl[i].weight;
	return (int)MX_MAX(MX_MIN(sum, (int64_t)INT32_MAX), (int64_t)INT32_MIN);
}

/* "[192.0.2.7] is listed by one.example, two.example": those that speak
 * against it. What does not fit is left out. */
static void name_lists(const struct client_facts *f, const char *literal,
		       const struct config_policy *policy, char *out,
		       size_t room)
{
	size_t at = (size_t)snprintf(out, room, "%s is listed by", literal);
	bool is_first = true;

	for (size_t i = 0; i < policy->n_dnsbl; i++) {
		const struct config_dnsbl *list = &policy->dnsbl[i];
		int n;

		if (list->weight <= 0 || !client_facts_is_listed(f, list->zone))
			continue;
		n = snprintf(out + at, room - at, "%s %s", is_first ? "" : ",",
			     list->zone);
		if (n < 0 || (size_t)n >= room - at) {
			out[at] = '\0';
			return;
		}
		at += (size_t)n;
		is_first = false;
	}
}

bool client_object(const struct client_facts *f, const struct inet_addr *client,
		   const struct config_policy *policy,
		   struct client_objection *out)
{
	char literal[INET_TEXT_MAX];

	if (!f->is_judged)
		return false;
	inet_format_literal(client, literal);
	out->score = client_score(f, policy);
	if (policy->require_fcrdns && f->fcrdns == FCRDNS_NONE) {
		out->kind = RCPT_REFUSED_FCRDNS;
		snprintf(out->text, sizeof(out->text),
			 "no reverse name of %s leads back to it", literal);
		return true;
	}
	if (policy->n_dnsbl == 0 || out->score < policy->dnsbl_threshold)
		return false;
	out->kind = RCPT_REFUSED_DNSBL;
	name_lists(f, literal, policy, out->text, sizeof(out->text));
	return true;
}

/* RFC 7372 3.3 has a code for the reverse name, but for 550 alone. */
void client_refusal(const struct client_objection *o, enum policy_action action,
		    struct smtp_reply *reply)
{
	MX_ASSERT(action != POLICY_RECORD);
	if (action == POLICY_DEFER)
		smtp_reply_set(reply, 450, "4.7.1", "%s", o->text);
	else if (o->kind == RCPT_REFUSED_FCRDNS)
		smtp_reply_set(reply, 550, "5.7.25", "%s", o->text);
	else
		smtp_reply_set(reply, 550, "5.7.1", "%s", o->text);
}
