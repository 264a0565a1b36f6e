#include "runtime/go.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "runtime/go_image.hpp"
#include "runtime/probe_place.hpp"

namespace timesink::runtime {

namespace {

/// By the debug information (DWARF) of programs built with the releases named, linux/amd64, and the first release of each
/// version: scripts/go-offsets/run prints it.
struct Known {
    std::uint32_t minor;  ///< of version 1
    GoLayout layout;
};
constexpr std::array<Known, 10> kKnown{{
    {17, {152, 48, 144, 312, 192, 72, 80}},  // 1.17, 1.17.13
    {18, {152, 48, 144, 312, 192, 72, 80}},  // 1.18, 1.18.10
    {19, {152, 48, 144, 312, 192, 72, 80}},  // 1.19, 1.19.13
    {20, {152, 48, 144, 312, 192, 72, 80}},  // 1.20, 1.20.14
    {21, {152, 48, 144, 296, 192, 72, 80}},  // 1.21.0, 1.21.13
    {22, {152, 48, 144, 296, 192, 72, 80}},  // 1.22.0, 1.22.12
    {23, {160, 48, 152, 304, 192, 72, 80}},  // 1.23.0, 1.23.12
    {24, {160, 48, 152, 304, 192, 72, 80}},  // 1.24.0, 1.24.6
    {25, {152, 48, 144, 296, 184, 64, 80}},  // 1.25.0, 1.25.3
    {26, {152, 48, 144, 304, 184, 64, 80}},  // 1.26.0, 1.26.8
}};

/// runtime.g.sched, the same in all of them.
constexpr std::uint32_t kScheduling = 56;

enum Function : std::size_t {
    code_of_slot,
    prepares,
    asked_of_new,
    http_request,
    http_writer,
    tls_read,
    tls_write,
    encrypt,
    memmove_,
    reader_read,
};
constexpr std::array<std::string_view, 10> kFunctions{"runtime.systemstack",
                                                      "runtime.gostartcallfn",
                                                      "runtime.isSystemGoroutine",
                                                      "net/http.(*persistConn).roundTrip",
                                                      "net/http.(*persistConn).writeLoop",
                                                      "crypto/tls.(*Conn).Read",
                                                      "crypto/tls.(*Conn).writeRecordLocked",
                                                      "crypto/tls.(*halfConn).encrypt",
                                                      "runtime.memmove",
                                                      "bytes.(*Reader).Read"};

struct Version {
    std::uint32_t minor = 0;
    std::string text;
};

/// "go1.26.8", "go1.26.8 X:experiment". Empty: not a release (devel, a candidate), or not of version 1.
std::optional<Version> release_of(std::string_view told) {
    constexpr std::string_view kBefore = "go1.";
    if (!told.starts_with(kBefore)) {
        return std::nullopt;
    }
    const std::string_view number = told.substr(2, told.find_first_not_of("0123456789.", 2) - 2);
    Version version{.text = std::string(number)};
    const auto [end, error] = std::from_chars(told.data() + kBefore.size(), told.data() + told.size(), version.minor);
    const std::string_view rest = told.substr(2 + number.size());
    // Experiments and a vendor's suffix come behind a space or a dash; "rc1", "beta1" do not.
    if (error != std::errc() || (!rest.empty() && rest.front() != ' ' && rest.front() != '-')) {
        return std::nullopt;
    }
    return version;
}

/// The place of a function's only call of another, both by their addresses in the process; 0: not to be told.
std::uint64_t call_of(const LoadedFile& file, std::uint64_t bias, std::uint64_t caller, std::uint64_t callee) {
    if (caller == 0 || callee == 0) {
        return 0;
    }
    const auto place = only_call(file.from(caller - bias), static_cast<std::int64_t>(callee - caller));
    return place ? caller + *place : 0;
}

GoTls find_tls(const LoadedFile& file, std::uint64_t bias, const std::vector<std::uint64_t>& entries) {
    GoTls tls{.there = entries[tls_read] != 0, .read = entries[tls_read], .write = entries[tls_write]};
    tls.copies = call_of(file, bias, tls.read, entries[reader_read]);
    tls.by_reader = tls.copies != 0;
    if (!tls.by_reader) {
        tls.copies = call_of(file, bias, tls.read, entries[memmove_]);
    }
    tls.encrypts = call_of(file, bias, tls.write, entries[encrypt]);
    return tls;
}

GoExamination unsupported(std::string version, std::string reason) {
    return {GoState::unsupported, std::move(version), std::move(reason), {}};
}

}  // namespace

GoExamination examine_go(std::span<const std::byte> bytes, std::uint64_t bias, const Memory& memory) {
    const auto file = LoadedFile::read(bytes);
    const auto build = file ? find_go_build(*file, bias, memory) : std::nullopt;
    if (!build) {
        return {};
    }
    const auto version = release_of(build->version);
    if (!version) {
        return unsupported({}, build->version.empty() ? "its version cannot be read" : "not a release: " + build->version);
    }
    const auto known = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& row) { return row.minor == version->minor; });
    if (known == kKnown.end()) {
        return unsupported(version->text, "a version that is not known");
    }
    const auto functions = GoFunctions::find(*file);
    if (!functions) {
        return unsupported(version->text, "its table of functions is not to be found");
    }
    const std::uint64_t text = functions->relative() ? find_go_text(*file, *functions, bias, memory) : bias;
    if (functions->relative() && text == 0) {
        GoExamination examination{.state = GoState::starting, .version = version->text, .reason = {}, .found = {}};
        return examination;
    }
    auto entries = functions->entries(kFunctions);
    std::transform(entries.begin(), entries.end(), entries.begin(),
                   [&](std::uint64_t entry) { return entry == 0 ? 0 : entry + text; });
    const auto slot = find_go_slot(*file, file->from(entries[code_of_slot] - bias));
    if (!slot) {
        return unsupported(version->text, "where its threads keep their goroutine is not to be found");
    }
    GoExamination examination{.state = GoState::followed, .version = version->text, .reason = {}, .found = {}};
    // Of the two functions that newproc1 calls with what belongs to the new goroutine, the first is entered half as often, but is
    // inlined in 1.17.
    const bool prepared = entries[prepares] != 0;
    examination.found = {.layout = known->layout,
                         .slot = *slot,
                         .prepared = prepared ? kScheduling : 0,
                         .maker = entries[prepared ? prepares : asked_of_new],
                         .http_request = entries[http_request],
                         .http_writer = entries[http_writer],
                         .tls = find_tls(*file, bias, entries)};
    return examination;
}

}  // namespace timesink::runtime
