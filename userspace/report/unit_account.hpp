#pragma once

#include <vector>

#include "attribute/account.hpp"
#include "report/account_tree.hpp"
#include "report/wording.hpp"

namespace timesink::report {

/// The account of one unit as a tree: the buckets; below provider each call, below transfer each object that was moved, with its
/// size. What a bucket consists of else stands in its note. Calls that ran beside what counts are not in it, objects are.
std::vector<TreeRow> unit_account_rows(const attribute::Account& account, const Safe& safe);

}  // namespace timesink::report
