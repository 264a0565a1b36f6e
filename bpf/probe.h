/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * How a probe is written. Each handler is one inline function with a constant parameter `btf`; TS_PROBE makes two
 * programs of it: NAME (tp_btf: arguments are typed pointers, loads are plain, task storage works) and NAME_raw
 * (raw_tp: arguments are numbers, everything is a checked read, threads are found by their id in a hash). live/ loads
 * one of the two kinds.
 */
#ifndef TIMESINK_PROBE_H
#define TIMESINK_PROBE_H

#include "core_fixes.bpf.h"
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "timesink/abi/events.h"

/* ARGUMENTS: in parentheses, expressions on `unsigned long long *ctx`, handed to HANDLER before `btf`. */
#define TS_PROBE(NAME, HANDLER, ...)                                                                                   \
	SEC("tp_btf/" #NAME) int on_##NAME(unsigned long long *ctx)                                                    \
	{                                                                                                              \
		return HANDLER(__VA_ARGS__, true);                                                                     \
	}                                                                                                              \
	SEC("raw_tp/" #NAME) int on_##NAME##_raw(unsigned long long *ctx)                                              \
	{                                                                                                              \
		return HANDLER(__VA_ARGS__, false);                                                                    \
	}

/* Keeps clang from forgetting a bound that the verifier needs to see. */
#define TS_OPAQUE(value) asm volatile("" : "+r"(value))

/* A function in a header: one copy in each object that calls it, none in the others. */
#define TS_SHARED static __noinline __attribute__((unused))

/* A field of a typed pointer, by a plain load where the verifier knows the type. */
#define TS_GET(btf, pointer, field) ((btf) ? (pointer)->field : BPF_CORE_READ(pointer, field))

/* Gives a pointer a type that the verifier believes (kernel commit fd264ca02094, 6.2); compiled to nothing. */
extern void *bpf_rdonly_cast(const void *pointer, __u32 type) __ksym __weak;

/*
 * A field behind a pointer that came from memory: by a plain load where the kernel can be told its type, else by a
 * checked read, which is a call of some 15 ns. Both yield 0 for a bad pointer.
 */
#define TS_LOAD(pointer, field)                                                                                        \
	({                                                                                                             \
		typeof(pointer) ts_loaded = (pointer);                                                                 \
		bpf_rdonly_cast                                                                                        \
			? ((typeof(ts_loaded))bpf_rdonly_cast(ts_loaded, bpf_core_type_id_kernel(typeof(*ts_loaded)))) \
				  ->field                                                                              \
			: BPF_CORE_READ(ts_loaded, field);                                                             \
	})

/* A pointer at an address: TS_LOAD of the first member of a structure that has nothing before it. */
static __always_inline void *ts_load_pointer(const void *address)
{
	return TS_LOAD((const struct list_head *)address, next);
}

#endif
