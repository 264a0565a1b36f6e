#include <algorithm>

#include "runtime/go_image.hpp"

namespace timesink::runtime {

namespace {

/// The header of the table, in bytes: magic 0, two zeros, the smallest instruction (1 on x86), the size of a pointer, then words.
constexpr std::uint32_t kMagic117 = 0xfffffffa;  // since 1.16
constexpr std::uint32_t kMagic118 = 0xfffffff0;
constexpr std::uint32_t kMagic120 = 0xfffffff1;
constexpr std::uint64_t kCount = 8;
constexpr std::uint64_t kNames117 = 24;
constexpr std::uint64_t kFunctions117 = 56;
constexpr std::uint64_t kNames118 = 32;  // behind the begin of the text, which from 1.26 on is not told here
constexpr std::uint64_t kFunctions118 = 64;
constexpr std::uint64_t kHeader = 72;

/// Far more than the largest programs have.
constexpr std::uint64_t kFunctionsMost = std::uint64_t{1} << 24U;
constexpr std::size_t kNameMost = 512;

}  // namespace

std::optional<GoFunctions> GoFunctions::find(const LoadedFile& file) {
    constexpr std::uint64_t kAlignment = 8;
    for (const LoadedFile::Segment& segment : file.segments()) {
        for (std::uint64_t at = (kAlignment - segment.address % kAlignment) % kAlignment; at + kHeader <= segment.bytes.size();
             at += kAlignment) {
            GoFunctions functions;
            functions.address_ = segment.address + at;
            if (functions.parse(segment.bytes.subspan(at))) {
                return functions;
            }
        }
    }
    return std::nullopt;
}

/// True: a table begins here, and it holds together.
bool GoFunctions::parse(std::span<const std::byte> bytes) {
    const auto magic = number_at<std::uint32_t>(bytes, 0).value_or(0);
    if ((magic != kMagic117 && magic != kMagic118 && magic != kMagic120) ||
        number_at<std::uint32_t>(bytes, sizeof(magic)) != 0x08010000U) {
        return false;
    }
    relative_ = magic != kMagic117;
    const auto count = number_at<std::uint64_t>(bytes, kCount).value_or(0);
    const auto names = number_at<std::uint64_t>(bytes, relative_ ? kNames118 : kNames117).value_or(0);
    const auto functions = number_at<std::uint64_t>(bytes, relative_ ? kFunctions118 : kFunctions117).value_or(0);
    const std::uint64_t pair = relative_ ? 2 * sizeof(std::uint32_t) : 2 * sizeof(std::uint64_t);
    if (count == 0 || count > kFunctionsMost || names < kHeader - sizeof(std::uint64_t) || names > bytes.size() ||
        functions < names || functions > bytes.size() || count * pair > bytes.size() - functions) {
        return false;
    }
    count_ = count;
    names_ = bytes.subspan(names, functions - names);
    functions_ = bytes.subspan(functions);
    return true;
}

/// Empty: not there, or longer than any that is asked for.
std::string_view GoFunctions::name(std::uint64_t offset) const {
    if (offset >= names_.size()) {
        return {};
    }
    const std::string_view text(reinterpret_cast<const char*>(names_.data()) + offset,
                                std::min(kNameMost, names_.size() - offset));
    const auto end = text.find('\0');
    return end == std::string_view::npos ? std::string_view{} : text.substr(0, end);
}

std::vector<std::uint64_t> GoFunctions::entries(std::span<const std::string_view> names) const {
    std::vector<std::uint64_t> entries(names.size());
    const std::uint64_t width = relative_ ? sizeof(std::uint32_t) : sizeof(std::uint64_t);
    const auto number = [&](std::uint64_t offset) -> std::uint64_t {
        return relative_ ? number_at<std::uint32_t>(functions_, offset).value_or(0)
                         : number_at<std::uint64_t>(functions_, offset).value_or(0);
    };
    for (std::uint64_t i = 0; i < count_; i++) {
        // A pair is (begin, where it is described); the description repeats the begin and goes on with the name.
        const std::uint64_t described = number((2 * i + 1) * width);
        const auto named = described < functions_.size() ? number_at<std::uint32_t>(functions_, described + width) : std::nullopt;
        const std::string_view function = named ? name(*named) : std::string_view{};
        const auto found = std::find(names.begin(), names.end(), function);
        if (!function.empty() && found != names.end()) {
            entries[static_cast<std::size_t>(found - names.begin())] = number(described);
        }
    }
    return entries;
}

}  // namespace timesink::runtime
