// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/* The floor: a pair of system-call programs that return at once. What they cost is the kernel's price of having any. */
#define SEC(name) __attribute__((section(name), used))

SEC("raw_tp/sys_enter") int on_sys_enter(void* context) {
    (void)context;
    return 0;
}

SEC("raw_tp/sys_exit") int on_sys_exit(void* context) {
    (void)context;
    return 0;
}

char licence[] SEC("license") = "Dual BSD/GPL";
