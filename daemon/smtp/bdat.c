#include "mxhold/smtp/bdat.h"

#include "mxhold/base/text.h"
#include "mxhold/smtp/command.h"

int smtp_bdat_parse(struct slice arg, struct smtp_bdat *out)
{
	struct slice word;

	out->last = false;
	if (!smtp_command_word(&arg, &word) || word.n > 20 ||
	    text_parse_u64(word, &out->size))
		return -1;
	if (!smtp_command_word(&arg, &word))
		return 0;
	out->last = slice_eq_nocase(word, SLICE("LAST"));
	return out->last && !smtp_command_word(&arg, &word) ? 0 : -1;
}
