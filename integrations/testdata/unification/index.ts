import './app/actions/create-user';
import './hubspot/syncs/users';
import './jira/actions/create-user';
import './jira/actions/find-user';
import './zendesk/actions/create-user';
