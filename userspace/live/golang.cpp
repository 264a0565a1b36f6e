#include "live/golang.hpp"

#include "live/elf_image.hpp"

namespace timesink::live {

namespace {

ts_go config_of(const runtime::Go& go) {
    return {.slot = go.slot,
            .thread = go.layout.thread,
            .number = go.layout.number,
            .status = go.layout.status,
            .start = go.layout.start,
            .current = go.layout.current,
            .thread_id = go.layout.thread_id,
            .connection = go.layout.connection,
            .prepared = go.prepared,
            .births = 0,
            .strange = 0,
            .served = 0};
}

std::optional<MappedFunction> go_function_at(std::uint32_t pid, const std::vector<Mapping>& mappings, std::uint64_t address) {
    auto function = function_at(pid, mappings, address);
    if (function) {
        function->convention = runtime::Convention::go;
    }
    return function;
}

}  // namespace

GoProcess find_go(std::uint32_t local_pid) {
    GoProcess process;
    // The program is mapped below its libraries and the loader. Go code in a library is not looked for: its threads are few.
    const auto mappings = mappings_of(local_pid);
    const auto elf = mappings.empty() ? std::nullopt : ElfImage::open(path_of(local_pid, mappings.front()));
    const auto linked = elf ? elf->address_of(mappings.front().offset) : std::nullopt;
    if (!linked) {
        return process;
    }
    const auto examination = runtime::examine_go(elf->bytes(), mappings.front().begin - *linked, ProcessMemory(local_pid));
    process.state = examination.state;
    process.version = examination.version;
    process.reason = examination.reason;
    if (process.state != runtime::GoState::followed) {
        return process;
    }
    const runtime::Go& found = examination.found;
    process.config = config_of(found);
    process.maker = go_function_at(local_pid, mappings, found.maker);
    process.http_request = go_function_at(local_pid, mappings, found.http_request);
    process.http_writer = go_function_at(local_pid, mappings, found.http_writer);
    process.has_tls = found.tls.there;
    process.tls_by_reader = found.tls.by_reader;
    if (found.tls.known()) {
        process.tls_read = go_function_at(local_pid, mappings, found.tls.read);
        process.tls_copies = go_function_at(local_pid, mappings, found.tls.copies);
        process.tls_write = go_function_at(local_pid, mappings, found.tls.write);
        process.tls_encrypts = go_function_at(local_pid, mappings, found.tls.encrypts);
    }
    return process;
}

}  // namespace timesink::live
