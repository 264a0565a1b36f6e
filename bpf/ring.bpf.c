// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
char LICENSE[] __attribute__((section("license"), used)) = "Dual BSD/GPL";
