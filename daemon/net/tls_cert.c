/* Certificates as files: making a self-signed one, asking when one ends. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mxhold/base/random.h"
#include "tls_internal.h"

/* For opportunistic TLS nobody looks at the dates; a certificate that never
 * needs care is the better one. */
enum {
	VALID_DAYS = 3650,
	CN_MAX = 64,
	SERIAL_BITS = 159
};

static int fail(struct error *err, const char *what)
{
	char why[128];
	tls_last_error(why, sizeof(why));
	return error_set(err, "%s: %s", what, why);
}

/* ---- the certificate ---- */

static int set_names(X509 *x, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(x);
	const char *cn = strlen(name) <= CN_MAX ? name : "mxhold";
	if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
				       (const unsigned char *)cn, -1, -1,
				       0) != 1)
		return -1;
	return X509_set_issuer_name(x, subject) == 1 ? 0 : -1;
}

/* Built by hand: the textual way would read commas in the name. */
static int add_san(X509 *x, const char *name)
{
	GENERAL_NAMES *all = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	int rc = -1;
	if (all && one && text && ASN1_STRING_set(text, name, -1) == 1) {
		GENERAL_NAME_set0_value(one, GEN_DNS, text);
		text = NULL;
		if (sk_GENERAL_NAME_push(all, one) > 0) {
			one = NULL;
			if (X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0,
					      X509V3_ADD_DEFAULT) == 1)
				rc = 0;
		}
	}
	ASN1_IA5STRING_free(text);
	GENERAL_NAME_free(one);
	GENERAL_NAMES_free(all);
	return rc;
}

static int set_serial(X509 *x)
{
	BIGNUM *n = BN_new();
	int ok = n &&
		 BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) ==
			 1 &&
		 BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
	BN_free(n);
	return ok ? 0 : -1;
}

/* Valid from yesterday, for peers whose clock is behind. */
static int fill(X509 *x, EVP_PKEY *key, const char *name)
{
	if (X509_set_version(x, X509_VERSION_3) != 1 || set_serial(x) != 0 ||
	    !X509_time_adj_ex(X509_getm_notBefore(x), -1, 0, NULL) ||
	    !X509_time_adj_ex(X509_getm_notAfter(x), VALID_DAYS, 0, NULL))
		return -1;
	if (X509_set_pubkey(x, key) != 1 || set_names(x, name) != 0 ||
	    add_san(x, name) != 0)
		return -1;
	return X509_sign(x, key, EVP_sha256()) > 0 ? 0 : -1;
}

/* ---- files ---- */

/* Written beside and renamed in, so that a file is there whole or not. */
static int write_pem(const char *file, mode_t mode, EVP_PKEY *key, X509 *cert,
		     struct error *err)
{
	char tmp[4096];
	int n = snprintf(tmp, sizeof(tmp), "%s.%016llx", file,
			 (unsigned long long)random_u64());
	if (n < 0 || (size_t)n >= sizeof(tmp))
		return error_set(err, "the path %.80s... is too long", file);
	int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return error_sys(err, errno, "cannot create %s", tmp);
	FILE *f = fdopen(fd, "w");
	if (!f) {
		int e = errno;
		close(fd);
		unlink(tmp);
		return error_sys(err, e, "cannot write %s", tmp);
	}
	int ok = key ? PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL)
		     : PEM_write_X509(f, cert);
	ok = ok && fflush(f) == 0 && fsync(fileno(f)) == 0;
	ok = fclose(f) == 0 && ok;
	if (ok && rename(tmp, file) == 0)
		return 0;
	int e = errno;
	unlink(tmp);
	return error_sys(err, e, "cannot write %s", file);
}

/* The key first: one that is alone is made again, with its certificate. */
static int make_pair(EVP_PKEY *key, X509 *x, const char *cert_file,
		     const char *key_file, struct error *err)
{
	if (write_pem(key_file, 0600, key, NULL, err) != 0)
		return -1;
	return write_pem(cert_file, 0644, NULL, x, err);
}

int tls_self_signed(const char *cert_file, const char *key_file,
		    const char *name, struct error *err)
{
	if (access(cert_file, F_OK) == 0 && access(key_file, F_OK) == 0)
		return 0;
	ERR_clear_error();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	int rc;
	if (!key || !x || fill(x, key, name) != 0)
		rc = fail(err, "cannot make a certificate");
	else
		rc = make_pair(key, x, cert_file, key_file, err);
	X509_free(x);
	EVP_PKEY_free(key);
	return rc;
}

static X509 *read_first(const char *cert_file)
{
	FILE *f = fopen(cert_file, "re");
	if (!f)
		return NULL;
	ERR_clear_error();
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	return x;
}

bool tls_cert_is_for(const char *cert_file, const char *name)
{
	X509 *x = read_first(cert_file);
	bool is_for = x && X509_check_host(
				   x, name, 0,
				   X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
					   X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
				   NULL) == 1;
	X509_free(x);
	ERR_clear_error();
	return is_for;
}

int64_t tls_cert_expiry(const char *cert_file, struct error *err)
{
	if (access(cert_file, R_OK) != 0)
		return error_sys(err, errno, "certificate %s", cert_file);
	X509 *x = read_first(cert_file);
	struct tm tm;
	int ok = x && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1;
	X509_free(x);
	if (!ok)
		return fail(err, cert_file);
	return (int64_t)timegm(&tm) * 1000;
}
