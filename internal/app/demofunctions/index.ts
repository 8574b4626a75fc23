// What is deployed: the functions that are imported here.
import './demo-tickets/syncs/tickets';
import './demo-tickets/actions/close-ticket';
import './demo-tickets-key/syncs/tickets';
import './demo-tickets-key/actions/close-ticket';
import './demo-tickets-basic/syncs/tickets';
import './demo-tickets-basic/actions/close-ticket';
