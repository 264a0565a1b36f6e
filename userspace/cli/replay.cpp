#include "cli/replay.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/message.hpp"
#include "event/record.hpp"

namespace timesink::cli {
namespace {

constexpr std::string_view kRoutesFact = "routes";

std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3; at -= 3) {
        digits.insert(at - 3, ",");
    }
    return digits;
}

std::string seconds(std::uint64_t nanoseconds) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.1f", static_cast<double>(nanoseconds) / 1e9);
    return text;
}

/// What stands before the place, what was wrong there, and what is done about it.
int say_ending(const capture::Reader& reader, std::string_view command, bool strict) {
    const capture::Ending& ending = reader.ending();
    const bool cut_off = ending.kind == capture::Ending::Kind::cut_off;
    const std::string where = std::string(cut_off ? "cut off" : "damaged") + " after section " + grouped(ending.sections) +
                              " (offset " + grouped(ending.offset) + "): " + ending.reason;
    const std::string what = reader.path() + ": " + where;
    if (ending.last_time == 0) {
        say_error(what, "Nothing of the recording is complete.");
        return kUnreadable;
    }
    if (strict) {
        say_error(what, "Without --strict, the " + seconds(ending.last_time - ending.first_time) +
                            " s that are complete are reported.");
        return kUnreadable;
    }
    say_error(what, "Reporting the " + seconds(ending.last_time - ending.first_time) + " s that are complete. 'timesink " +
                        std::string(command) + " --strict' refuses instead.");
    return kDone;
}

}  // namespace

void for_each_fact(const capture::Reader& reader, std::string_view name, const std::function<void(const nlohmann::json&)>& each) {
    const auto facts = reader.facts(capture::SectionKind::host);
    if (!facts) {
        return;
    }
    std::vector<std::uint64_t> aligned(facts->size() / sizeof(std::uint64_t));
    if (aligned.empty()) {
        return;
    }
    std::memcpy(aligned.data(), facts->data(), aligned.size() * sizeof(std::uint64_t));
    auto rest = std::as_bytes(std::span(aligned));
    while (const auto head = event::read_head(rest)) {
        const auto record = rest.first(head->size);
        rest = rest.subspan(head->size);
        if (head->kind != TS_EVENT_FACT || event::check(record) != event::Validity::valid) {
            continue;
        }
        const nlohmann::json body = event::read_fact(record);
        if (!body.is_null() && event::fact_name(body) == name) {
            each(body);
        }
    }
}

std::vector<std::string> recorded_routes(const capture::Reader& reader) {
    std::vector<std::string> patterns;
    for_each_fact(reader, kRoutesFact, [&](const nlohmann::json& body) {
        for (const auto& pattern : body.value("patterns", nlohmann::json::array())) {
            if (pattern.is_string()) {
                patterns.push_back(pattern.get<std::string>());
            }
        }
    });
    return patterns;
}

std::vector<std::byte> routes_record(const std::vector<std::string>& patterns, std::uint64_t time) {
    return fact_record({{"fact", kRoutesFact}, {"patterns", patterns}}, time);
}

std::vector<std::byte> fact_record(const nlohmann::json& body, std::uint64_t time) {
    // An argument need not be UTF-8; what is not becomes U+FFFD here, and would match no path anyway.
    const std::string text = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    const std::size_t size = (sizeof(ts_fact) + text.size() + 7) / 8 * 8;
    ts_fact fact{};
    fact.head.kind = TS_EVENT_FACT;
    fact.head.size = static_cast<__u16>(size);
    fact.head.cpu = TS_CPU_USERSPACE;
    fact.head.time = time;
    fact.json_bytes = static_cast<__u32>(text.size());
    std::vector<std::byte> record(size);
    std::memcpy(record.data(), &fact, sizeof(fact));
    std::memcpy(record.data() + sizeof(fact), text.data(), text.size());
    return record;
}

std::unique_ptr<capture::Reader> open_recording(const std::string& path, int& code) {
    Result<capture::Reader> reader = capture::Reader::open(path);
    if (!reader) {
        const bool permission = reader.error().errno_value == EACCES;
        code = fail(
            kUnreadable, reader.error(),
            permission ? "A recording holds payload, so only the user who made it may read it; 'sudo chown' hands it over." : "");
        return nullptr;
    }
    return std::make_unique<capture::Reader>(std::move(reader).value());
}

int replay(capture::Reader& reader, std::string_view command, bool strict,
           const std::function<Status(std::span<const std::byte>)>& push) {
    while (const auto events = reader.next_events()) {
        if (const Status pushed = push(*events); !pushed) {
            return pushed.error().what.empty() ? kCannotWrite
                                               : fail(kUnreadable, Error{reader.path() + ": " + pushed.error().what});
        }
    }
    return reader.ending().kind == capture::Ending::Kind::complete ? kDone : say_ending(reader, command, strict);
}

}  // namespace timesink::cli
