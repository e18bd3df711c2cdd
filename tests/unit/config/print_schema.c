/* One line an option: section, name, default as the file would have it, when
 * a change is taken over, whether anything acts on it, help. */
#include <stdio.h>

#include "mxhold/config/schema.h"

int main(void)
{
	struct buf def;

	buf_init(&def, 4096);
	for (size_t i = 0; i < schema_n_options; i++) {
		const struct schema_option *o = &schema_options[i];

		buf_clear(&def);
		schema_format_default(o, &def);
		printf("%s\t%s\t%.*s\t%s\t%s\t%s\n",
		       schema_sections[o->section].name, o->name, (int)def.n,
		       buf_slice(&def).p,
		       o->flags & SCHEMA_RESTART ? "restart" : "reload",
		       o->flags & SCHEMA_LATER ? "later" : "now", o->help);
	}
	buf_done(&def);
	return 0;
}
