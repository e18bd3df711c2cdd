#include "mxhold/outbound/trust.h"

#include <stdio.h>

enum primary_tls trust_by_dane(enum dane_verdict verdict)
{
	switch (verdict) {
	case DANE_USABLE:
		return PRIMARY_TLS_DANE;
	case DANE_UNUSABLE:
		return PRIMARY_TLS_REQUIRE;
	case DANE_NONE:
	case DANE_FAILED:
		break;
	}
	return PRIMARY_TLS_MAY;
}

bool trust_must_verify(enum primary_tls mode)
{
	switch (mode) {
	case PRIMARY_TLS_VERIFY:
	case PRIMARY_TLS_PIN:
	case PRIMARY_TLS_DANE:
		return true;
	case PRIMARY_TLS_MAY:
	case PRIMARY_TLS_OFF:
	case PRIMARY_TLS_REQUIRE:
		break;
	}
	return false;
}

const char *trust_proof_name(enum primary_tls mode, const struct tls_info *info)
{
	if (!info->verified)
		return "no";
	switch (mode) {
	case PRIMARY_TLS_PIN:
		return "pin";
	case PRIMARY_TLS_DANE:
		return "dane";
	case PRIMARY_TLS_VERIFY:
	case PRIMARY_TLS_MAY:
	case PRIMARY_TLS_OFF:
	case PRIMARY_TLS_REQUIRE:
		break;
	}
	return "name";
}

static const char *advice(enum tls_doubt doubt)
{
	switch (doubt) {
	case TLS_DOUBT_NAME:
		return "give host that name, or use tls = \"pin\"";
	case TLS_DOUBT_DATE:
		return "renew it at the primary";
	case TLS_DOUBT_ISSUER:
		return "name its authority's file in ca, or use tls = \"pin\"";
	case TLS_DOUBT_PIN:
		return "if it was changed on purpose, set pin to it";
	case TLS_DOUBT_TLSA:
		return "publish a TLSA record for it";
	case TLS_DOUBT_NONE:
	case TLS_DOUBT_OTHER:
		break;
	}
	return "look at the primary's certificate";
}

void trust_explain(const struct tls_info *info, char *out, size_t room)
{
	bool which = info->doubt == TLS_DOUBT_DATE ||
		     info->doubt == TLS_DOUBT_ISSUER;

	snprintf(out, room, "the server is not proved: %s%s%.60s%s; %s",
		 info->problem, which ? " (" : "", which ? info->peer_name : "",
		 which ? ")" : "", advice(info->doubt));
}
