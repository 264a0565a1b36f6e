#include "request/route.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

/// Lines are paths (and patterns). A route is its own route, and the table agrees with itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    timesink::request::RoutePatterns patterns;
    timesink::request::RouteTable table;
    while (!text.empty()) {
        const std::string_view path = text.substr(0, text.find('\n'));
        text.remove_prefix(path.size() < text.size() ? path.size() + 1 : path.size());
        const std::string route = timesink::request::fold_path(path);
        if (timesink::request::fold_path(route) != route) {
            std::abort();
        }
        (void)patterns.add(path);
        (void)patterns.match("GET", path);
        const std::string now = table.route("GET", path);
        const std::string in_the_end = table.final_route("GET", now);
        if (table.final_route("GET", in_the_end) != in_the_end) {
            std::abort();
        }
    }
    return 0;
}
