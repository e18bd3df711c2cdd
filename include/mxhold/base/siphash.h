/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): a short keyed hash whose collisions
 * nobody can choose without the key. Pure; any thread.
 */
#ifndef MXHOLD_BASE_SIPHASH_H
#define MXHOLD_BASE_SIPHASH_H

#include <stdint.h>

#include "mxhold/base/slice.h"

uint64_t siphash(const uint64_t key[2], struct slice s);

#endif
