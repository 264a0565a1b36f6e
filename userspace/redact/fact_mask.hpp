#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace timesink::redact {

/// The arguments of a program, each of the length that it had: what program it is and the names of its options stay, for a report
/// says what was attached to. Values do not: there are passwords among them.
std::vector<std::string> masked_arguments(const std::vector<std::string>& arguments);

/// `record`: a checked fact, whole and writable. Masks the command lines in it; its size stays.
void mask_fact(std::span<std::byte> record);

}  // namespace timesink::redact
