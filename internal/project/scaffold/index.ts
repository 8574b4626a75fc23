// What is deployed: the functions that are imported here.
import "./demo-tickets/syncs/tickets";
import "./demo-tickets/actions/close-ticket";
import "./demo-tickets/on-events/post-connection-creation";
import "./demo-tickets/functions/count-tickets";
