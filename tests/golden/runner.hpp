#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace timesink::golden {

/// What a kind of golden test makes of the records: the lines that stand behind "=>".
using Render = std::function<std::vector<std::string>(std::span<const std::byte> records)>;

/// main() of a kind: `PROGRAM [--update] FILE…`. Compares, and prints what is missing (-) and what came instead (+); with
/// --update, writes what came into the files. Exit code 0 when all agree (or were written).
int run_golden(int argc, char** argv, const Render& render);

}  // namespace timesink::golden
