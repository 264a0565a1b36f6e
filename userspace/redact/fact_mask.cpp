#include "redact/fact_mask.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "event/record.hpp"
#include "redact/masks.hpp"

namespace timesink::redact {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

std::string shown_first(const std::string& text, std::size_t shown) {
    std::string out = text;
    shown = std::min(shown, out.size());
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(shown), out.end(), kMask);
    return out;
}

bool is_interpreter(std::string_view path) {
    constexpr std::array<std::string_view, 6> kInterpreters = {"python", "node", "java", "ruby", "php", "perl"};
    const std::string_view name = path.substr(path.rfind('/') + 1);
    return std::any_of(kInterpreters.begin(), kInterpreters.end(), [name](auto each) { return name.starts_with(each); });
}

/// A program or module, as analyze::Services names a service by it.
bool is_program(std::string_view text) {
    return !text.empty() && text.size() <= 256 && text.find("://") == std::string_view::npos &&
           text.find_first_not_of(std::string(kNameCharacters) + "./:") == std::string_view::npos;
}

std::string masked_option(const std::string& text) {
    constexpr std::array<std::string_view, 3> kOfInterpreters = {"-cp", "-classpath", "-jar"};
    if (std::find(kOfInterpreters.begin(), kOfInterpreters.end(), text) != kOfInterpreters.end()) {
        return text;
    }
    if (!text.starts_with("--")) {
        return shown_first(text, 2);  // "-pSECRET"
    }
    const std::size_t sign = text.find('=');
    const bool name = text.find_first_not_of(kNameCharacters) >= std::min(sign, text.size());
    return shown_first(text, !name ? 2 : sign == std::string::npos ? text.size() : sign + 1);
}

std::vector<std::string> texts_of(const Json& list) {
    std::vector<std::string> texts;
    for (const Json& each : list) {
        texts.push_back(each.is_string() ? each.get<std::string>() : std::string());
    }
    return texts;
}

/// Of timesink's own command line: behind "--" stands the target's.
std::vector<std::string> masked_own(std::vector<std::string> arguments) {
    const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
    if (dashes != arguments.end()) {
        const auto masked = masked_arguments({dashes + 1, arguments.end()});
        std::copy(masked.begin(), masked.end(), dashes + 1);
    }
    return arguments;
}

void write_back(std::span<std::byte> record, const Json& body) {
    const std::string text = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    ts_fact fact;
    std::memcpy(&fact, record.data(), sizeof(fact));
    const std::span<std::byte> room = record.subspan(sizeof(fact));
    // A masked text takes no more room than it did; where another program wrote the JSON differently, nothing of it is kept.
    const std::string_view fits = text.size() <= room.size() ? std::string_view(text) : std::string_view("{}");
    fact.json_bytes = static_cast<__u32>(std::min(fits.size(), room.size()));
    std::memcpy(record.data(), &fact, sizeof(fact));
    std::fill(room.begin(), room.end(), std::byte{0});
    std::memcpy(room.data(), fits.data(), fact.json_bytes);
}

}  // namespace

std::vector<std::string> masked_arguments(const std::vector<std::string>& arguments) {
    std::vector<std::string> masked;
    bool program_next = !arguments.empty() && is_interpreter(arguments.front());
    bool value_next = false;
    for (const std::string& argument : arguments) {
        if (masked.empty()) {
            masked.push_back(shown_first(argument, argument.find(' ')));  // a title may say anything behind its name
        } else if (std::exchange(value_next, false)) {
            masked.push_back(shown_first(argument, 0));
        } else if (argument.starts_with('-')) {
            value_next = argument == "-cp" || argument == "-classpath" || argument == "-W" || argument == "-X";
            masked.push_back(masked_option(argument));
        } else {
            masked.push_back(
                shown_first(argument, std::exchange(program_next, false) && is_program(argument) ? argument.size() : 0));
        }
    }
    return masked;
}

void mask_fact(std::span<std::byte> record) {
    Json body = event::read_fact(record);
    if (body.is_null()) {
        ts_fact fact;
        std::memcpy(&fact, record.data(), sizeof(fact));
        std::fill(record.begin() + sizeof(fact), record.end(), std::byte{0});
        return;
    }
    const std::string_view name = event::fact_name(body);
    if (name == "process" && body.contains("command_line") && body["command_line"].is_array()) {
        body["command_line"] = masked_arguments(texts_of(body["command_line"]));
    } else if (name == "timesink" && body.contains("arguments") && body["arguments"].is_array()) {
        body["arguments"] = masked_own(texts_of(body["arguments"]));
    } else if (name == "target" && body.value("by", Json()) == "command" && body.contains("value") && body["value"].is_string()) {
        const auto& value = body["value"].get_ref<const std::string&>();
        body["value"] = shown_first(value, value.find(' '));
    } else {
        return;
    }
    write_back(record, body);
}

}  // namespace timesink::redact
