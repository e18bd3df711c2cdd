#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mxhold/base/clock.h"
#include "mxhold/net/tls_context.h"
#include "support/certs.h"
#include "unit/net/twice.h"

static char dir[] = "/tmp/mxhold-tls-XXXXXX";
static char cert[64], key[64];

static void make_dir(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
	snprintf(key, sizeof(key), "%s/key.pem", dir);
}

static void remove_dir(void)
{
	unlink(cert);
	unlink(key);
	ck_assert_int_eq(rmdir(dir), 0); /* nothing else was left in it */
}

START_TEST(self_signed__makes_a_pair_that_serves)
{
	struct error err;
	struct stat st;
	make_dir();
	ck_assert_int_eq(tls_self_signed(cert, key, "mx2.example.com", &err),
			 0);
	ck_assert_int_eq(stat(key, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	struct tls_pair pair = {cert, key};
	struct tls_context *c = tls_context_server(&pair, 1, "1.2", &err);
	ck_assert_msg(c != NULL, "%s", err.text);
	tls_context_unref(c);
	int64_t left = tls_cert_expiry(cert, &err) - clock_wall_ms();
	ck_assert_int_gt(left, 3640LL * 86400 * 1000);
	ck_assert_int_le(left, 3650LL * 86400 * 1000);
	remove_dir();
}
END_TEST

START_TEST(self_signed__keeps_a_pair_that_is_there)
{
	struct error err;
	struct stat before, after;
	make_dir();
	ck_assert_int_eq(tls_self_signed(cert, key, "a.example", &err), 0);
	ck_assert_int_eq(stat(cert, &before), 0);
	ck_assert_int_eq(tls_self_signed(cert, key, "a.example", &err), 0);
	ck_assert_int_eq(stat(cert, &after), 0);
	ck_assert(before.st_ino == after.st_ino);
	remove_dir();
}
END_TEST

/* A crash between the two files leaves one that fits nothing. */
START_TEST(self_signed__makes_both_anew_when_one_is_missing)
{
	struct error err;
	make_dir();
	ck_assert_int_eq(tls_self_signed(cert, key, "a.example", &err), 0);
	unlink(_i ? cert : key);
	ck_assert_int_eq(tls_self_signed(cert, key, "a.example", &err), 0);
	struct tls_pair pair = {cert, key};
	struct tls_context *c = tls_context_server(&pair, 1, NULL, &err);
	ck_assert_msg(c != NULL, "%s", err.text);
	tls_context_unref(c);
	remove_dir();
}
END_TEST

START_TEST(self_signed__takes_names_longer_than_a_common_name)
{
	char name[200];
	struct error err;
	make_dir();
	memset(name, 'a', sizeof(name));
	memcpy(name + 180, ".example", 9);
	ck_assert_msg(tls_self_signed(cert, key, name, &err) == 0, "%s",
		      err.text);
	remove_dir();
}
END_TEST

START_TEST(self_signed__says_why_it_cannot_write)
{
	struct error err;
	make_dir();
	ck_assert_int_eq(
		tls_self_signed(cert, "/nonexistent/key.pem", "a", &err), -1);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/key.pem"));
	remove_dir();
}
END_TEST

START_TEST(cert_expiry__is_the_end_of_the_first_certificate)
{
	struct error err;
	make_dir();
	struct cert *c = cert_new(
		&(struct cert_wish){.from_days = -10, .to_days = 5}, NULL);
	cert_write(c, NULL, cert, key);
	int64_t left = tls_cert_expiry(cert, &err) - clock_wall_ms();
	ck_assert_int_gt(left, 4 * 86400000LL);
	ck_assert_int_le(left, 5 * 86400000LL);
	cert_free(c);
	remove_dir();
}
END_TEST

START_TEST(cert_expiry__fails_without_a_certificate)
{
	struct error err;
	make_dir();
	ck_assert_int_eq(tls_cert_expiry(cert, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, cert));
	FILE *f = fopen(cert, "w");
	fputs("no certificate\n", f);
	fclose(f);
	ck_assert_int_eq(tls_cert_expiry(cert, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, cert));
	remove_dir();
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"tls_cert", TEST(self_signed__makes_a_pair_that_serves),
		TEST(self_signed__keeps_a_pair_that_is_there),
		TWICE(self_signed__makes_both_anew_when_one_is_missing),
		TEST(self_signed__takes_names_longer_than_a_common_name),
		TEST(self_signed__says_why_it_cannot_write),
		TEST(cert_expiry__is_the_end_of_the_first_certificate),
		TEST(cert_expiry__fails_without_a_certificate));
}
