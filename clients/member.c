/* SPDX-License-Identifier: MIT */
/*
 * Who may use a gateway's socket: see member.h.
 */
#include "clients/member.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool member_of(const char *user, const char *group)
{
	const struct group *g = getgrnam(group);
	const struct passwd *pw = getpwnam(user);

	if (!g || !pw)
		return false;
	if (pw->pw_gid == g->gr_gid)
		return true;
	for (char **name = g->gr_mem; *name; name++)
		if (strcmp(*name, user) == 0)
			return true;
	return false;
}

static bool hint_of_group(gid_t gid, char *ret, size_t size)
{
	const struct passwd *pw = getpwuid(geteuid());
	const struct group *group = getgrgid(gid);

	if (!pw || !group)
		return false;
	if (member_of(pw->pw_name, group->gr_name))
		snprintf(ret, size, "You are in the group %s from your next login on, or now by: "
			 "newgrp %s", group->gr_name, group->gr_name);
	else
		snprintf(ret, size, "It is for the group %s: sudo usermod -a -G %s %s, and log in "
			 "again", group->gr_name, group->gr_name, pw->pw_name);
	return true;
}

/* A mode without rights of the group is for nobody to join. Root's own group neither: there was no
 * group "chapi" when the gateway started. */
bool member_hint(const char *path, char *ret, size_t size)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno != EACCES)
			return false;
		snprintf(ret, size, "It is in a folder that is closed to you: is it another "
			 "user's gateway? The system's is at /run/chapi/gw.sock");
		return true;
	}
	if (!(st.st_mode & S_IWGRP)) {
		snprintf(ret, size, "It lets its owner in only: socket_mode in [gateway] of the "
			 "configuration says so");
		return true;
	}
	if (st.st_gid == 0) {
		snprintf(ret, size, "It is for root only: name a group for it, socket_group in "
			 "[gateway] of the configuration, and start the gateway again");
		return true;
	}
	return hint_of_group(st.st_gid, ret, size);
}
