#include "tcp_progress.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "mxhold/base/attr.h"

enum {
	PROBES = 5 /* on a line that loses a third, too few would kill */
};

bool tcp_progress(int fd, struct tcp_progress *out)
{
	struct tcp_info info;
	socklen_t n = sizeof(info);
	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) != 0)
		return false;
	out->acked = info.tcpi_bytes_acked;
	out->answers = info.tcpi_segs_in - info.tcpi_data_segs_in;
	out->sent = info.tcpi_data_segs_out;
	out->unacked = info.tcpi_unacked;
	return true;
}

void tcp_drop_at_close(int fd)
{
	struct linger none = {.l_onoff = 1, .l_linger = 0};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

void tcp_keep_alive(int fd, int64_t silence_ms)
{
	int on = 1, n = PROBES;
	int idle_s = (int)MX_MAX(silence_ms / 2000, INT64_C(1));
	int every_s = (int)MX_MAX(silence_ms / 2000 / PROBES, INT64_C(1));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &n, sizeof(n));
}
