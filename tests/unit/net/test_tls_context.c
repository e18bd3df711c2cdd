#include "mxhold/net/tls_context.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/certs.h"
#include "unit/base/suite.h"

static char dir[] = "/tmp/mxhold-tls-XXXXXX";
static char cert[2][64], key[2][64];
static struct cert *made[2];

static void make_pairs(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (int i = 0; i < 2; i++) {
		snprintf(cert[i], sizeof(cert[i]), "%s/cert%d.pem", dir, i);
		snprintf(key[i], sizeof(key[i]), "%s/key%d.pem", dir, i);
		made[i] = cert_for(i ? "b.example" : "a.example", NULL);
		cert_write(made[i], NULL, cert[i], key[i]);
	}
}

static void remove_pairs(void)
{
	for (int i = 0; i < 2; i++) {
		unlink(cert[i]);
		unlink(key[i]);
		cert_free(made[i]);
	}
	rmdir(dir);
}

static void write_text(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");
	fputs(text, f);
	fclose(f);
}

static void refused(const struct tls_pair *pair, const char *words)
{
	struct error err;
	ck_assert_ptr_null(tls_context_server(pair, 1, "1.2", &err));
	ck_assert_msg(strstr(err.text, words) != NULL, "'%s' lacks '%s'",
		      err.text, words);
}

START_TEST(context__takes_several_pairs)
{
	struct error err;
	make_pairs();
	struct tls_pair pairs[] = {{cert[0], key[0]}, {cert[1], key[1]}};
	struct tls_context *c = tls_context_server(pairs, 2, "1.3", &err);
	ck_assert_msg(c != NULL, "%s", err.text);
	tls_context_ref(c);
	tls_context_unref(c);
	tls_context_unref(c);
	tls_context_unref(NULL);
	remove_pairs();
}
END_TEST

START_TEST(context__refuses_a_key_that_does_not_fit)
{
	make_pairs();
	struct tls_pair pair = {cert[0], key[1]};
	refused(&pair, "does not fit");
	refused(&pair, key[1]);
	refused(&pair, cert[0]);
	/* nor one of another kind */
	struct cert *rsa =
		cert_new(&(struct cert_wish){.rsa_bits = 2048}, NULL);
	cert_write(rsa, NULL, cert[1], key[1]);
	refused(&pair, "does not fit");
	cert_free(rsa);
	remove_pairs();
}
END_TEST

START_TEST(context__refuses_files_it_cannot_read)
{
	make_pairs();
	struct tls_pair pair = {"/nonexistent.pem", key[0]};
	refused(&pair, "/nonexistent.pem: No such file");
	pair = (struct tls_pair){cert[0], "/nonexistent.key"};
	refused(&pair, "/nonexistent.key: No such file");
	remove_pairs();
}
END_TEST

START_TEST(context__refuses_files_that_hold_something_else)
{
	make_pairs();
	struct tls_pair pair = {cert[0], key[0]};
	write_text(cert[0], "hello\n");
	refused(&pair, cert[0]);
	cert_write(made[0], NULL, cert[0], key[0]);
	write_text(key[0], "hello\n");
	refused(&pair, key[0]);
	remove_pairs();
}
END_TEST

/* And does not ask for the passphrase: there is nobody to answer. */
START_TEST(context__refuses_a_key_with_a_passphrase)
{
	make_pairs();
	struct tls_pair pair = {cert[0], key[0]};
	cert_write_encrypted_key(made[0], key[0]);
	refused(&pair, key[0]);
	remove_pairs();
}
END_TEST

START_TEST(context__refuses_a_second_pair_that_is_wrong)
{
	struct error err;
	make_pairs();
	struct tls_pair pairs[] = {{cert[0], key[0]}, {cert[1], key[0]}};
	ck_assert_ptr_null(tls_context_server(pairs, 2, "1.2", &err));
	ck_assert_ptr_nonnull(strstr(err.text, cert[1]));
	ck_assert_ptr_null(tls_context_server(pairs, 0, "1.2", &err));
	remove_pairs();
}
END_TEST

static const char *const bad_versions[] = {"1.1", "1.0", "", "TLSv1.2", "2"};

START_TEST(context__refuses_other_versions)
{
	struct error err;
	make_pairs();
	struct tls_pair pair = {cert[0], key[0]};
	ck_assert_ptr_null(
		tls_context_server(&pair, 1, bad_versions[_i], &err));
	ck_assert_ptr_null(tls_context_client("system", NULL, NULL,
					      bad_versions[_i], &err));
	remove_pairs();
}
END_TEST

START_TEST(client_context__takes_authorities_and_a_certificate)
{
	struct error err;
	make_pairs();
	struct tls_context *c =
		tls_context_client("system", NULL, NULL, NULL, &err);
	ck_assert_msg(c != NULL, "%s", err.text);
	tls_context_unref(c);
	c = tls_context_client(cert[0], cert[1], key[1], "1.2", &err);
	ck_assert_msg(c != NULL, "%s", err.text);
	tls_context_unref(c);
	remove_pairs();
}
END_TEST

START_TEST(client_context__refuses_what_does_not_work)
{
	struct error err;
	make_pairs();
	ck_assert_ptr_null(
		tls_context_client("/nonexistent", NULL, NULL, NULL, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent"));
	ck_assert_ptr_null(
		tls_context_client("system", cert[0], NULL, NULL, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "needs its key"));
	ck_assert_ptr_null(
		tls_context_client("system", NULL, key[0], NULL, &err));
	ck_assert_ptr_null(
		tls_context_client("system", cert[0], key[1], NULL, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "does not fit"));
	remove_pairs();
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"tls_context", TEST(context__takes_several_pairs),
		TEST(context__refuses_a_key_that_does_not_fit),
		TEST(context__refuses_files_it_cannot_read),
		TEST(context__refuses_files_that_hold_something_else),
		TEST(context__refuses_a_key_with_a_passphrase),
		TEST(context__refuses_a_second_pair_that_is_wrong),
		LOOP(context__refuses_other_versions, bad_versions),
		TEST(client_context__takes_authorities_and_a_certificate),
		TEST(client_context__refuses_what_does_not_work));
}
