#include "mxhold/net/digest.h"

#include "mxhold/base/text.h"
#include "unit/base/suite.h"

/* FIPS 180-4 examples. */
static const struct {
	const char *text, *sha256, *sha512;
} table[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	 "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
	 "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
	{"abc",
	 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
};

START_TEST(digest__is_the_one_of_the_standard)
{
	uint8_t out[64];
	char hex[129];
	digest_sha256(table[_i].text, strlen(table[_i].text), out);
	text_hex(out, 32, hex);
	ck_assert_str_eq(hex, table[_i].sha256);
	digest_sha512(table[_i].text, strlen(table[_i].text), out);
	text_hex(out, 64, hex);
	ck_assert_str_eq(hex, table[_i].sha512);
}
END_TEST

int main(void)
{
	return RUN_TESTS("digest",
			 LOOP(digest__is_the_one_of_the_standard, table));
}
